"""The target of Kokoro's worker process: says which extra is missing, else loads the model and speaks."""

from collections.abc import Mapping
from typing import Any

from smalt.core.errors import MissingExtra
from smalt.engines.channel import Ready, run


def serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Load the model and answer until the process is stopped."""
    try:
        from smalt.engines.speech_worker.kokoro import KokoroOptions, KokoroSynthesizer
        from smalt.engines.speech_worker.serving import serve_speech
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "kokoro_onnx", extra="audio") from error
    chosen = KokoroOptions(**{name: value for name, value in options.items() if name != "env"})
    run(serve_speech(KokoroSynthesizer(chosen), socket_path, ready))
