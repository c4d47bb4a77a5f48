"""The target of the worker process: loads the model and answers `transcribe` streams on a channel."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from smalt.core.errors import MissingExtra
from smalt.engines.channel import Handlers, Header, Message, Ready, run, serve_channel
from smalt.engines.transcription_worker.options import WhisperOptions, read_options

if TYPE_CHECKING:
    from smalt.engines.transcription_worker.model import WhisperModel


def serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Load the model and answer until the process is stopped."""
    run(_serve(options, socket_path, ready))


async def _serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    try:
        from smalt.engines.transcription_worker.model import WhisperModel
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "faster_whisper", extra="audio") from error
    chosen = read_options(options)
    model = WhisperModel(options["weights"], chosen)
    transcriber = Transcriber(model, chosen)
    await serve_channel(Handlers(streams={"transcribe": transcriber.transcribe}), socket_path, ready)


class Transcriber:
    """Hears several recordings at once: each has one window at a time in a queue, so they take turns."""

    def __init__(self, model: "WhisperModel", options: WhisperOptions) -> None:
        self._model = model
        self._options = options
        self._hearing = ThreadPoolExecutor(options.parallel, thread_name_prefix="hear")
        self._decoding = ThreadPoolExecutor(1, thread_name_prefix="decode")

    async def transcribe(self, header: Header, content: bytes) -> AsyncGenerator[Message]:
        """Stream segments, and in the end what is known then; a window that is being heard is heard to its end."""
        from smalt.engines.transcription_worker.hearing import begin

        loop = asyncio.get_running_loop()
        sound, hearing = await loop.run_in_executor(self._decoding, begin, self._model, self._options, header, content)
        try:
            while True:
                window = await loop.run_in_executor(self._decoding, sound.window)
                segments: list[dict[str, Any]] = []
                if window is not None:
                    segments = await loop.run_in_executor(self._hearing, hearing.hear, window)
                elif sound.is_over:
                    break
                else:
                    await loop.run_in_executor(self._decoding, sound.read)
                for segment in segments:
                    yield {"segment": segment}, b""
                if not segments:
                    yield {"progress": True}, b""
            yield {"end": hearing.end()}, b""
        finally:
            # In the thread that decodes, which may be in the middle of a block.
            self._decoding.submit(sound.close)
