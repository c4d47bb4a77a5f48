"""The ONNX embedding engine with the starter model, in its worker, through the engine host."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from smalt.core.errors import ContextLengthExceeded, EngineFailed, InvalidRequest, NotInstalled
from smalt.core.settings import load_settings
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import HostProcess, start_host
from smalt.engines.onnx_embedding import OnnxEmbeddingEngine
from smalt.engines.protocols import Deployment, Embeddings

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def deployment(starter_data_dir: Path) -> Deployment:
    pack = starter_data_dir / "models" / "embeddings"
    weights = {"model": str(next(pack.glob("*.onnx"))), "tokenizer": str(pack / "tokenizer.json")}
    return Deployment("minilm", "onnx_embedding", "all-minilm-l6-v2", frozenset({"embeddings"}), weights)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with start_host(load_settings(data_dir=tmp_path_factory.mktemp("data"))) as host:
        yield host


@pytest.fixture
async def engine(host: HostProcess, deployment: Deployment) -> AsyncIterator[OnnxEmbeddingEngine]:
    client = await EngineHost.connect(host.socket_path)
    async with client.lease(OnnxEmbeddingEngine.worker(deployment)) as address:
        engine = OnnxEmbeddingEngine.open(deployment, address)
        yield engine
        await engine.close()
    await client.close()


def rows(embeddings: Embeddings) -> NDArray[np.float32]:
    return np.frombuffer(embeddings.rows, "<f4").reshape(-1, embeddings.dimensions)


async def test_like_meanings_have_like_vectors(engine: OnnxEmbeddingEngine):
    texts = ["A man is eating food.", "Someone eats a meal.", "The stock market fell sharply."]
    vectors = rows(await engine.embed(texts))
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > 0.6
    assert likeness[0, 2] < 0.3
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


async def test_the_answer_names_the_model_and_counts_the_texts_tokens(engine: OnnxEmbeddingEngine):
    embeddings = await engine.embed(["hello world", "hello"])
    assert (embeddings.model, embeddings.dimensions, embeddings.prompt_tokens) == ("all-minilm-l6-v2", 384, 3)


async def test_tokens_and_their_text_have_the_same_vector(engine: OnnxEmbeddingEngine):
    hello_world = [7592, 2088]
    vectors = rows(await engine.embed(["hello world", hello_world]))
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-3)


async def test_a_vector_hardly_depends_on_what_shares_its_batch(engine: OnnxEmbeddingEngine):
    texts = [f"Text number {number} speaks of {'very ' * (number % 7)}large numbers." for number in range(40)]
    together = rows(await engine.embed(texts))
    alone = np.concatenate([rows(await engine.embed([text])) for text in texts[:8]])
    assert (together[:8] * alone).sum(axis=1).min() > 0.999


async def test_concurrent_requests_get_their_own_vectors(engine: OnnxEmbeddingEngine):
    texts = ["cats", "the weather in Paris", "a recipe for bread", "quantum physics", "football", "a sonnet"] * 5
    answers = await asyncio.gather(*(engine.embed([text]) for text in texts))
    vectors = np.concatenate([rows(answer) for answer in answers])
    nearest = (vectors @ vectors[:6].T).argmax(axis=1)
    assert [texts[index] for index in nearest] == texts


async def test_fewer_dimensions_are_a_cut_of_unit_length(engine: OnnxEmbeddingEngine):
    whole = rows(await engine.embed(["hello world"]))[0]
    cut = rows(await engine.embed(["hello world"], 64))[0]
    assert cut.shape == (64,)
    assert cut == pytest.approx(whole[:64] / np.linalg.norm(whole[:64]), abs=1e-5)


@pytest.mark.parametrize("dimensions", [0, -1, 385])
async def test_impossible_dimensions_are_refused(engine: OnnxEmbeddingEngine, dimensions: int):
    with pytest.raises(InvalidRequest, match="ask for 1 to 384") as refusal:
        await engine.embed(["hello"], dimensions)
    assert refusal.value.param == "dimensions"


async def test_a_long_text_is_embedded_whole(engine: OnnxEmbeddingEngine):
    start, end = "The cat sleeps on the sofa. " * 60, "Interest rates rose again this year. " * 60
    vectors = rows(await engine.embed([start + end, start, end]))
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > 0.5
    assert likeness[0, 2] > 0.5


async def test_eight_thousand_tokens_are_the_most(engine: OnnxEmbeddingEngine):
    with pytest.raises(ContextLengthExceeded, match="8192 tokens, however you requested 8193"):
        await engine.embed([[7592] * 8193])


async def test_a_foreign_token_is_named(engine: OnnxEmbeddingEngine):
    with pytest.raises(InvalidRequest, match="Invalid token in prompt: 99257"):
        await engine.embed([[7592, 99257]])


@pytest.mark.parametrize("inputs", [[""], [[]], []])
async def test_nothing_cannot_be_embedded(engine: OnnxEmbeddingEngine, inputs: list[str]):
    with pytest.raises(InvalidRequest, match="input"):
        await engine.embed(inputs)


async def test_half_a_character_is_refused(engine: OnnxEmbeddingEngine):
    with pytest.raises(InvalidRequest, match="Unicode"):
        await engine.embed(["\ud800"])


async def test_a_cancelled_request_leaves_the_worker_to_others(engine: OnnxEmbeddingEngine):
    large = asyncio.create_task(engine.embed([[7592 + number] * 250 for number in range(2000)]))
    await asyncio.sleep(0.3)
    large.cancel()
    await asyncio.wait([large])
    async with asyncio.timeout(20):
        await engine.embed(["hello"])


async def test_a_file_that_is_no_model_is_named(host: HostProcess, deployment: Deployment):
    weights = {**deployment.weights, "model": deployment.weights["tokenizer"]}
    client = await EngineHost.connect(host.socket_path)
    broken = Deployment("broken", "onnx_embedding", "broken", frozenset({"embeddings"}), weights)
    with pytest.raises(EngineFailed, match=r"onnxruntime cannot load .*tokenizer\.json"):
        async with client.lease(OnnxEmbeddingEngine.worker(broken)):
            pass
    await client.close()


def test_missing_weights_are_named_with_the_command_that_fetches_them(deployment: Deployment):
    bare = Deployment("bare", "onnx_embedding", "bare", frozenset({"embeddings"}))
    with pytest.raises(NotInstalled, match="smalt models pull bare"):
        OnnxEmbeddingEngine.worker(bare)


def test_an_unknown_option_is_named(deployment: Deployment):
    odd = Deployment("odd", "onnx_embedding", "odd", frozenset({"embeddings"}), deployment.weights, {"treads": 2})
    with pytest.raises(EngineFailed, match="no option treads"):
        OnnxEmbeddingEngine.worker(odd)


def test_deployments_of_the_same_model_share_a_worker(deployment: Deployment):
    other = Deployment("other", "onnx_embedding", "other", frozenset({"embeddings"}), deployment.weights)
    assert OnnxEmbeddingEngine.worker(other).key == OnnxEmbeddingEngine.worker(deployment).key
