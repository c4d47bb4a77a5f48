"""An encoder's int8 weights are computed with as they are, with about the same numbers; other files run as they are."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from smalt.core.errors import EngineFailed
from smalt.engines.moderation_worker.encoder import Encoder
from smalt.engines.moderation_worker.integer_rules import RULES, attention, embedding_rows, gelu, linear
from smalt.engines.moderation_worker.onnx_graph import Graph, Rule
from tiny_encoders import FLOAT, INNER, INPUTS, OUTPUTS, VOCABULARY, WIDTH, OnnxFile, TinyEncoder

IDS = [3, 9, 41, 5, 59, 0, 17]


def rows(content: bytes) -> NDArray[np.float32]:
    session: Any = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["rows"], {"input_ids": np.array([IDS], np.int64)})[0][0]


def rewritten(content: bytes, *rules: Rule) -> Graph:
    graph = Graph(content)
    graph.rewrite(rules)
    return graph


def counts(graph: Graph, *operators: str) -> list[int]:
    return [len(graph.outputs_of(one)) for one in operators]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(TinyEncoder().content())
    return path


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize("version", [17, 18])
def test_an_encoder_computes_in_int8_with_about_the_same_numbers(version: int):
    content = TinyEncoder(version=version).content()
    graph = rewritten(content, *RULES)
    assert counts(graph, "DynamicQuantizeMatMul", "MultiHeadAttention", "Gelu") == [6, 1, 1]
    assert counts(graph, "MatMul", "Softmax", "Erf", "Where") == [0, 0, 0, 0]
    found, expected = rows(graph.serialized()), rows(content)
    assert cosines(found, expected).min() > 0.995
    assert not np.array_equal(found, expected)


@pytest.mark.parametrize("rule", [embedding_rows, gelu, attention])
def test_the_other_rules_change_the_speed_alone(rule: Rule):
    content = TinyEncoder().content()
    graph = rewritten(content, rule)
    assert graph.serialized() != content
    np.testing.assert_allclose(rows(graph.serialized()), rows(content), atol=2e-5)


def test_one_large_token_does_not_cost_the_others_their_precision():
    file = OnnxFile()
    file.node("MatMul", ["x", file.int8(INNER, WIDTH)], "rows")
    file.edges((INPUTS, "x", FLOAT, 3), (OUTPUTS, "rows", FLOAT, 3))
    tokens = np.random.default_rng(1).normal(0, 1, (1, 5, INNER)).astype(np.float32)
    tokens[0, 2] *= 1000
    expected, found = (
        onnxruntime.InferenceSession(content).run(["rows"], {"x": tokens})[0][0]
        for content in (file.content(), rewritten(file.content(), linear).serialized())
    )
    assert cosines(found, expected).min() > 0.999


def test_a_file_s_weights_that_nobody_needs_any_more_are_left_out():
    content = TinyEncoder().content()
    assert len(rewritten(content, *RULES).serialized()) < len(content) + 4000
    assert counts(rewritten(content, *RULES), "Cast") == [1]


def test_what_only_looks_like_a_gelu_stays():
    content = TinyEncoder(erf_root=1.7).content()
    assert counts(rewritten(content, gelu), "Gelu", "Erf") == [0, 1]


def test_what_only_looks_like_attention_stays():
    content = TinyEncoder(keys=(0, 1, 2)).content()
    assert counts(rewritten(content, attention), "MultiHeadAttention", "Softmax") == [0, 1]


def test_an_encoder_gives_a_row_for_each_token(path: Path):
    (found,) = Encoder(str(path)).hidden(IDS)
    assert found.shape == (len(IDS), WIDTH)
    assert cosines(found, rows(path.read_bytes())).min() > 0.995


def test_the_same_text_has_the_same_rows_every_time(path: Path):
    encoder = Encoder(str(path))
    first = encoder.hidden(IDS)[0]
    encoder.hidden(list(range(VOCABULARY)))
    np.testing.assert_array_equal(encoder.hidden(IDS)[0], first)


def test_layers_are_given_in_order_and_the_last_once_more_at_the_end(path: Path):
    embedded, layer, last = Encoder(str(path), layers=(0, 1)).hidden(IDS)
    np.testing.assert_array_equal(layer, last)
    assert embedded.mean(axis=1) == pytest.approx(np.zeros(len(IDS)), abs=1e-5)
    assert not np.allclose(embedded, last)


def test_a_layer_too_many_is_named(path: Path):
    with pytest.raises(EngineFailed, match="no layer 2"):
        Encoder(str(path), layers=(1, 2))


def test_a_file_without_the_pattern_runs_as_it_is_and_the_log_says_so(path: Path, caplog: pytest.LogCaptureFixture):
    graph = Graph(path.read_bytes())
    graph.rewrite(RULES)
    path.write_bytes(graph.serialized())
    with caplog.at_level(logging.INFO):
        (found,) = Encoder(str(path)).hidden(IDS)
    assert "as in its file" in caplog.text
    np.testing.assert_allclose(found, rows(path.read_bytes()), atol=1e-5)


def test_a_file_that_is_no_model_is_named(tmp_path: Path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\xff" * INNER)
    with pytest.raises(EngineFailed, match=r"model\.onnx"):
        Encoder(str(path))
