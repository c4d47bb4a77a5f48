"""The engine `piper`: quick speech from a Piper voice (an `.onnx` and its `.onnx.json`) in a worker process."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import orjson

from smalt.core.errors import EngineFailed, NotInstalled
from smalt.engines.cores import available_cores
from smalt.engines.deployments import check_options
from smalt.engines.protocols import Deployment, WorkerSpec
from smalt.engines.speech_worker.client import SpeakingEngine

TARGET = "smalt.engines.piper_worker.serving:serve"
OPTIONS = frozenset({"threads", "voices"})
MOST_THREADS = 4
"""More threads than these hardly make a sentence quicker."""

LIBRARIES_BYTES = 256 * 2**20
"""What Python, onnxruntime and the longest sentence's intermediate results take beside the weights."""

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""onnxruntime has its own threads; no other library may make some beside them."""


class PiperEngine(SpeakingEngine):
    """Speaks with the speakers of a Piper voice; the option `voices` gives them further names."""

    extra: ClassVar[str | None] = "piper"

    @classmethod
    def worker(cls, deployment: Deployment) -> WorkerSpec:
        """One worker for all deployments with the same files and options."""
        options: dict[str, Any] = {**_checked_options(deployment), **_weights(deployment), "env": ENVIRONMENT}
        digest = hashlib.sha256(orjson.dumps(options, option=orjson.OPT_SORT_KEYS)).hexdigest()
        memory_bytes = 2 * Path(options["model"]).stat().st_size + LIBRARIES_BYTES
        return WorkerSpec(f"piper:{digest[:16]}", TARGET, options, memory_bytes)


def _checked_options(deployment: Deployment) -> dict[str, Any]:
    check_options(deployment, OPTIONS)
    threads = deployment.options.get("threads", 0)
    if not isinstance(threads, int) or threads < 0:
        raise EngineFailed(f"Deployment {deployment.name}: options.threads is a number of threads, 0 to choose.")
    return {"threads": threads or min(MOST_THREADS, available_cores()), "voices": _voices(deployment)}


def _voices(deployment: Deployment) -> dict[str, str | int]:
    voices = deployment.options.get("voices", {})
    if isinstance(voices, Mapping):
        named = cast("Mapping[Any, Any]", voices)
        if all(isinstance(name, str) and isinstance(value, str | int) for name, value in named.items()):
            return dict(named)
    raise EngineFailed(
        f"Deployment {deployment.name}: options.voices gives speakers further names, by name or number: "
        f'voices = {{ alloy = "joe", echo = 3 }}.'
    )


def _weights(deployment: Deployment) -> dict[str, str]:
    model = deployment.weights.get("model")
    weights = {"model": model, "config": deployment.weights.get("config") or f"{model}.json"}
    for role, path in weights.items():
        if path is None or not os.access(path, os.R_OK):
            raise NotInstalled(
                f"Deployment {deployment.name} lacks a readable file for weights.{role} ({path}). A Piper voice is an "
                ".onnx, which is weights.model, and a .onnx.json, which is weights.config or lies beside it."
            )
    return {role: str(path) for role, path in weights.items()}
