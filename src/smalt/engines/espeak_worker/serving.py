"""The target of the worker process: loads espeak-ng and answers `speak` on a channel."""

from collections.abc import Mapping
from typing import Any

from smalt.core.errors import MissingExtra
from smalt.engines.channel import Ready, run


def serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Load the library and answer until the process is stopped."""
    try:
        from smalt.engines.espeak_worker.synthesizer import EspeakSynthesizer
        from smalt.engines.speech_worker.serving import serve_speech
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "espeakng_loader", extra="espeak") from error
    run(serve_speech(EspeakSynthesizer(options.get("language")), socket_path, ready))
