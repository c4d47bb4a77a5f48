"""Bare kokoro-onnx: reads a text as a line of JSON, answers with the seconds of its sound and those that it took."""

import asyncio
import json
import sys
from importlib import import_module
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any


async def speak(model: Any, text: str, voice: str) -> dict[str, Any]:
    """Speak one text in the library's own batches."""
    started_at = perf_counter()
    first_at: float | None = None
    samples = 0
    rate = 1
    async for sound, rate in model.create_stream(text, voice):  # noqa: B007 - the rate is read after the loop
        first_at = first_at or perf_counter()
        samples += len(sound)
    ended_at = perf_counter()
    return {
        "seconds": ended_at - started_at,
        "first_seconds": (first_at or ended_at) - started_at,
        "duration": samples / rate,
    }


def open_model(options: dict[str, Any]) -> Any:
    """The library over the worker's model and voices, with the worker's session options."""
    import numpy as np

    from smalt.engines.speech_worker.voices import read_voices

    ort: Any = import_module("onnxruntime")
    library: Any = import_module("kokoro_onnx")
    chosen = ort.SessionOptions()
    chosen.intra_op_num_threads = options["threads"]
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(options["model"], chosen, providers=["CPUExecutionProvider"])
    with TemporaryDirectory(prefix="smalt-bench-") as folder:
        # The library reads voices from an archive of its own format only, each row in a list of its own.
        path = f"{folder}/voices.npz"
        voices: dict[str, Any] = {name: rows[:, None] for name, rows in read_voices(options["voices"]).items()}
        np.savez(path, **voices)
        return library.Kokoro.from_session(session, path)


def main() -> None:
    """Read the options from the command line, then work until standard input ends."""
    options = json.loads(sys.argv[1])
    model = open_model(options)
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - read by our parent
    for line in sys.stdin:
        spoken = asyncio.run(speak(model, json.loads(line)["text"], options["voice"]))
        print(json.dumps(spoken), flush=True)  # noqa: T201 - read by our parent


if __name__ == "__main__":
    main()
