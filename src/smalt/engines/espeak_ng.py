"""The engine `espeak_ng`: speech in over a hundred languages by rules, small, quick and unlike a person."""

import hashlib
from typing import Any, ClassVar

import orjson

from smalt.core.errors import EngineFailed
from smalt.engines.deployments import check_options
from smalt.engines.protocols import Deployment, WorkerSpec
from smalt.engines.speech_worker.client import SpeakingEngine

TARGET = "smalt.engines.espeak_worker.serving:serve"
OPTIONS = frozenset({"language"})
MEMORY_BYTES = 128 * 2**20
"""Python, the codecs and the library with its data."""


class EspeakNgEngine(SpeakingEngine):
    """Speaks with espeak-ng, which needs no weights; the option `language` is what OpenAI's voices speak."""

    extra: ClassVar[str | None] = "espeak"

    @classmethod
    def worker(cls, deployment: Deployment) -> WorkerSpec:
        """One worker for all deployments with the same language."""
        options = _checked_options(deployment)
        digest = hashlib.sha256(orjson.dumps(options, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return WorkerSpec(f"espeak_ng:{digest[:16]}", TARGET, options, MEMORY_BYTES)


def _checked_options(deployment: Deployment) -> dict[str, Any]:
    check_options(deployment, OPTIONS)
    language = deployment.options.get("language")
    if language is not None and not isinstance(language, str):
        raise EngineFailed(f"Deployment {deployment.name}: language must be text such as en-us, not {language!r}.")
    return dict(deployment.options)
