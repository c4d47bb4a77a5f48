"""The engine `moderation`: scores of texts by small heads over a sentence encoder, in a worker process of its own."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import orjson

from smalt.core.errors import EngineFailed, InvalidRequest
from smalt.engines.channel import ChannelClient
from smalt.engines.deployments import check_options, readable_weights
from smalt.engines.moderation_worker.options import MOST_CHARACTERS
from smalt.engines.protocols import Deployment, Engine, Scores, WorkerAddress, WorkerSpec

TARGET = "smalt.engines.moderation_worker.serving:serve"
WEIGHTS = ("model", "tokenizer")
LIBRARIES_BYTES = 128 * 2**20
"""What Python, onnxruntime, the heads and a share's intermediate results take beside the weights."""

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
"""Chat has the other cores."""


class ModerationHeadsEngine(Engine):
    """Judges texts with the heads that come with Smalt; they were trained over all-MiniLM-L6-v2 and fit no other."""

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
        return WorkerSpec(f"moderation:{digest[:16]}", TARGET, options, memory_bytes)

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

    async def moderate(self, texts: Sequence[str]) -> Sequence[Scores]:
        """The scores of every text: the highest of its windows."""
        assert self._channel is not None
        try:
            answer, _ = await self._channel.call("moderate", {"texts": texts})
        except orjson.JSONEncodeError as error:
            raise InvalidRequest(f"'input' holds text that is not valid Unicode: {error}.", param="input") from error
        return answer["scores"]

    async def close(self) -> None:
        """Close the connection to the worker."""
        if self._channel is not None:
            await self._channel.close()


def _checked_options(deployment: Deployment) -> dict[str, int]:
    check_options(deployment, {"max_characters"})
    most = deployment.options.get("max_characters", MOST_CHARACTERS)
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise EngineFailed(f"Deployment {deployment.name}: options.max_characters is a whole number above 0.")
    return {"max_characters": most}
