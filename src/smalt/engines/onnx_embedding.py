"""The engine `onnx_embedding`: texts to vectors with onnxruntime, in a worker that batches across requests."""

import hashlib
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import orjson

from smalt.core.errors import InvalidRequest
from smalt.engines.channel import ChannelClient
from smalt.engines.deployments import check_options, readable_weights
from smalt.engines.protocols import Deployment, Embeddings, Engine, TokenStarts, WorkerAddress, WorkerSpec

TARGET = "smalt.engines.embedding_worker.serving:serve"
WEIGHTS = ("model", "tokenizer")
OPTIONS = frozenset({"max_tokens", "max_input_tokens", "pooling", "normalize", "threads", "max_batch"})
LIBRARIES_BYTES = 224 * 2**20
"""What Python, onnxruntime and a batch's intermediate results take beside the weights."""

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "true"}
"""Every batch runs in one thread and several run at once, so no library may make threads of its own."""


class OnnxEmbeddingEngine(Engine):
    """Embeds texts, or lists of the served model's own token ids."""

    extra: ClassVar[str | None] = "local"

    @classmethod
    def worker(cls, deployment: Deployment) -> WorkerSpec:
        """One worker for all deployments with the same files and options."""
        options: dict[str, Any] = {
            **_checked_options(deployment),
            **readable_weights(deployment, WEIGHTS),
            "env": ENVIRONMENT,
        }
        digest = hashlib.sha256(orjson.dumps(options, option=orjson.OPT_SORT_KEYS)).hexdigest()
        memory_bytes = 2 * Path(options["model"]).stat().st_size + LIBRARIES_BYTES
        return WorkerSpec(f"onnx_embedding:{digest[:16]}", TARGET, options, memory_bytes)

    @classmethod
    def open(cls, deployment: Deployment, worker: WorkerAddress | None) -> Self:
        """Speak with the deployment's worker."""
        assert worker is not None
        engine = cls(deployment)
        engine._channel = ChannelClient(worker.socket_path)
        return engine

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._channel: ChannelClient | None = None

    async def embed(self, inputs: Sequence[str | Sequence[int]], dimensions: int | None = None) -> Embeddings:
        """Embed each input; a long one is cut in windows whose vectors are averaged by their number of tokens."""
        assert self._channel is not None
        try:
            answer, rows = await self._channel.call("embed", {"inputs": inputs, "dimensions": dimensions})
        except orjson.JSONEncodeError as error:
            raise InvalidRequest(f"'input' holds text that is not valid Unicode: {error}.", param="input") from error
        return Embeddings(rows, answer["dimensions"], answer["prompt_tokens"], self.deployment.model)

    async def token_starts(self, texts: Sequence[str]) -> list[TokenStarts]:
        """The tokens of each text as the model's own tokenizer sees them."""
        assert self._channel is not None
        answer, packed = await self._channel.call("token_starts", {"texts": texts})
        found: list[TokenStarts] = []
        at = 0
        for size in answer["bytes"]:
            found.append(_token_starts(packed[at : at + size]))
            at += size
        return found

    async def close(self) -> None:
        """Close the connection to the worker."""
        if self._channel is not None:
            await self._channel.close()


def _token_starts(packed: bytes) -> TokenStarts:
    numbers = array("I", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    begins_word = bytes(number >> 31 for number in numbers)
    return TokenStarts(array("I", [number & 0x7FFF_FFFF for number in numbers]), begins_word)


def _checked_options(deployment: Deployment) -> dict[str, Any]:
    check_options(deployment, OPTIONS)
    return dict(deployment.options)
