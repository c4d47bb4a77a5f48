"""The text encoder: the token ids of one text in, a row for each token out, on one core."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from smalt.core.errors import EngineFailed
from smalt.engines.moderation_worker.integer_rules import RULES
from smalt.engines.moderation_worker.onnx_graph import Graph

# onnxruntime's own type hints leave its classes unknown.
ort: Any = onnxruntime

Rows = NDArray[np.float32]

logger = logging.getLogger(__name__)

SLOWER_THAN_ITS_PARTS: Final = ["SkipLayerNormFusion"]
"""What onnxruntime makes of an addition and a layer normalisation takes a core three times as long as the two."""


class Encoder:
    """A BERT-like ONNX model; one with int8 weights, as a file of the starter models, computes in int8."""

    def __init__(self, model_path: str, layers: Sequence[int] = ()) -> None:
        """Also give the rows after each of `layers`: 0 is the embeddings', 1 the first layer's."""
        model, further = _model(model_path, layers)
        self._session = _open(model, model_path)
        self._inputs: set[str] = {one.name for one in self._session.get_inputs()}
        self._outputs = [*further, self._session.get_outputs()[0].name]

    def hidden(self, ids: Sequence[int]) -> list[Rows]:
        """The rows, (tokens, width), of every layer that was asked for, and then of the last."""
        # One text at a time: int8 rows depend on what else is in a batch, and the mask is left out.
        inputs = np.array([ids], np.int64)
        feeds = {"input_ids": inputs, "attention_mask": np.ones_like(inputs), "token_type_ids": np.zeros_like(inputs)}
        found: list[Rows] = self._session.run(self._outputs, {name: feeds[name] for name in self._inputs})
        return [rows[0] for rows in found]


def _model(path: str, layers: Sequence[int]) -> tuple[str | bytes, list[str]]:
    """The model to open, and the names of the layers' outputs: the file itself where there is nothing to change."""
    try:
        graph = Graph.read(path)
    except (OSError, ValueError) as error:
        if layers:
            raise EngineFailed(f"The layers of {path} cannot be told apart: {error}") from error
        logger.warning("moderation encoder as in its file", extra={"model": path, "reason": str(error)})
        return path, []
    further = _layer_outputs(graph, path, layers)
    graph.add_outputs(further)
    rewritten = graph.rewrite(RULES)
    if not rewritten:
        logger.warning("moderation encoder as in its file", extra={"model": path, "reason": "no int8 weights"})
    return (graph.serialized(), further) if rewritten or further else (path, [])


def _layer_outputs(graph: Graph, path: str, layers: Sequence[int]) -> list[str]:
    """A layer normalises twice, and its second normalisation is its output; the embeddings normalise once."""
    every = graph.outputs_of("LayerNormalization")[::2]
    if any(layer >= len(every) for layer in layers):
        raise EngineFailed(f"{path} has {len(every)} layers with the embeddings, and no layer {max(layers)}.")
    return [every[layer] for layer in layers]


def _open(model: str | bytes, path: str) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    if _sums_overflow():
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return ort.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER_THAN_ITS_PARTS
        )
    except Exception as error:
        raise EngineFailed(f"onnxruntime cannot load {path}: {error}") from error


def _sums_overflow() -> bool:
    """Whether onnxruntime would add products of int8 in 16 bits: on a processor for x86-64 without VNNI."""
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return "vnni" not in flags
