"""Bare faster-whisper: reads the name of a recording as a line of JSON, answers with its text and the seconds."""

import json
import sys
from importlib import import_module
from time import perf_counter
from typing import Any


def transcribe(model: Any, path: str, options: dict[str, Any]) -> dict[str, Any]:
    """Hear one recording to its end."""
    started_at = perf_counter()
    segments, info = model.transcribe(path, **options)
    texts: list[str] = []
    first_at: float | None = None
    for segment in segments:
        first_at = first_at or perf_counter()
        texts.append(segment.text)
    ended_at = perf_counter()
    return {
        "seconds": ended_at - started_at,
        "first_seconds": (first_at or ended_at) - started_at,
        "duration": info.duration,
        "text": "".join(texts).strip(),
    }


def main() -> None:
    """Read the options from the command line, then work until standard input ends."""
    options = json.loads(sys.argv[1])
    library: Any = import_module("faster_whisper")
    model = library.WhisperModel(options["folder"], device="cpu", **options["model"])
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - read by our parent
    for line in sys.stdin:
        heard = transcribe(model, json.loads(line)["recording"], options["transcribe"])
        print(json.dumps(heard), flush=True)  # noqa: T201 - read by our parent


if __name__ == "__main__":
    main()
