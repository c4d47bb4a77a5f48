"""The engine `kokoro`: speech from a Kokoro model in a worker process."""

import hashlib
from pathlib import Path
from typing import Any, ClassVar

import orjson

from smalt.core.errors import EngineFailed
from smalt.engines.cores import available_cores
from smalt.engines.deployments import check_options, readable_weights
from smalt.engines.protocols import Deployment, WorkerSpec
from smalt.engines.speech_worker.client import SpeakingEngine

TARGET = "smalt.engines.speech_worker.kokoro_serving:serve"
WEIGHTS = ("model", "voices")
OPTIONS = frozenset({"threads"})
MOST_THREADS = 4
"""More threads than these hardly make a sentence quicker."""

LIBRARIES_BYTES = 512 * 2**20
"""What Python, onnxruntime and the longest sentence's intermediate results take beside the weights."""

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""onnxruntime has its own threads; no other library may make some beside them."""


class KokoroEngine(SpeakingEngine):
    """Speaks with the voices of a Kokoro, in the languages that espeak-ng knows the sounds of."""

    extra: ClassVar[str | None] = "audio"

    @classmethod
    def worker(cls, deployment: Deployment) -> WorkerSpec:
        """One worker for all deployments with the same files and options."""
        options: dict[str, Any] = {
            **_checked_options(deployment),
            **readable_weights(deployment, WEIGHTS),
            "env": ENVIRONMENT,
        }
        digest = hashlib.sha256(orjson.dumps(options, option=orjson.OPT_SORT_KEYS)).hexdigest()
        weights_bytes = sum(Path(options[role]).stat().st_size for role in WEIGHTS)
        return WorkerSpec(f"kokoro:{digest[:16]}", TARGET, options, 2 * weights_bytes + LIBRARIES_BYTES)


def _checked_options(deployment: Deployment) -> dict[str, Any]:
    check_options(deployment, OPTIONS)
    threads = deployment.options.get("threads", 0)
    if not isinstance(threads, int) or threads < 0:
        raise EngineFailed(f"Deployment {deployment.name}: options.threads is a number of threads, 0 to choose.")
    return {"threads": threads or min(MOST_THREADS, available_cores())}
