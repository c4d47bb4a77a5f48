"""The target of Piper's worker process: says which extra is missing, else loads the voice and speaks."""

from collections.abc import Mapping
from typing import Any

from smalt.core.errors import MissingExtra
from smalt.engines.channel import Ready, run


def serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Load the voice and answer until the process is stopped."""
    try:
        from smalt.engines.piper_worker.synthesizer import PiperOptions, PiperSynthesizer
        from smalt.engines.speech_worker.serving import serve_speech
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "piper", extra="piper") from error
    chosen = PiperOptions(**{name: value for name, value in options.items() if name != "env"})
    run(serve_speech(PiperSynthesizer(chosen), socket_path, ready))
