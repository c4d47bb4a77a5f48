"""The engine `image_moderation`: scores of pictures by two small ONNX classifiers, in a worker process."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import orjson

from smalt.engines.channel import ChannelClient
from smalt.engines.deployments import readable_weights
from smalt.engines.image_moderation_worker.options import checked_options
from smalt.engines.protocols import Deployment, Engine, Scores, WorkerAddress, WorkerSpec

TARGET = "smalt.engines.image_moderation_worker.serving:serve"
WEIGHTS = ("model", "nsfw")
LIBRARIES_BYTES = 448 * 2**20
"""What Python, onnxruntime and a decoded picture of the largest size take beside the weights."""

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class ImageModerationOnnxEngine(Engine):
    """Judges pictures: `weights.model` tells NSFL, NSFW and SFW apart, `weights.nsfw` is Yahoo's open_nsfw."""

    extra: ClassVar[str | None] = "local"

    @classmethod
    def worker(cls, deployment: Deployment) -> WorkerSpec:
        """One worker for all deployments with the same files and options."""
        chosen = checked_options(deployment).model_dump()
        weights = readable_weights(deployment, WEIGHTS)
        options: dict[str, Any] = {**chosen, **weights, "env": ENVIRONMENT}
        digest = hashlib.sha256(orjson.dumps(options, option=orjson.OPT_SORT_KEYS)).hexdigest()
        memory_bytes = 2 * sum(Path(path).stat().st_size for path in weights.values()) + LIBRARIES_BYTES
        return WorkerSpec(f"image_moderation:{digest[:16]}", TARGET, options, memory_bytes)

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

    async def moderate_images(self, images: Sequence[bytes]) -> Sequence[Scores]:
        """The scores of every picture; of an animation, the highest of its frames."""
        assert self._channel is not None
        answer, _ = await self._channel.call("moderate_images", {"sizes": list(map(len, images))}, b"".join(images))
        return answer["scores"]

    async def close(self) -> None:
        """Close the connection to the worker."""
        if self._channel is not None:
            await self._channel.close()
