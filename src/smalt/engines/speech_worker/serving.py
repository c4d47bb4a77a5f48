"""Serves a synthesizer on a worker's channel: a piece at a time in one thread, the pieces of requests in turns."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np

from smalt.engines.channel import Handlers, Header, Message, Ready, serve_channel
from smalt.engines.speech_worker.encoding import Encoder, Tempo
from smalt.engines.speech_worker.sentences import Piece, cut
from smalt.engines.speech_worker.silence import trimmed
from smalt.engines.speech_worker.synthesis import Samples, Synthesizer
from smalt.engines.speech_worker.wording import plain

TOKENS_A_SECOND = 20
"""Sound is counted as the reference counts what its models speak: a token for every 50 ms."""

NOTHING_SECONDS = 0.5
"""How long the silence is that a text without anything to say becomes."""

ResultT = TypeVar("ResultT")


async def serve_speech(synthesizer: Synthesizer, socket_path: str, ready: Ready) -> None:
    """Answer the stream `speak` until the process is stopped."""
    await serve_channel(Handlers(streams={"speak": Speaker(synthesizer).speak}), socket_path, ready)


class Speaker:
    """Speaks for all requests: one thread, which goes to whoever has waited longest after every piece."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self._synthesizer = synthesizer
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="speak")

    async def speak(self, header: Header, _payload: bytes) -> AsyncGenerator[Message]:
        """Stream the bytes of a file; the last message has the counts in its header instead."""
        self._synthesizer.check(header)
        voice = self._synthesizer.voice(header["voice"])
        utterance = SpokenUtterance(self._synthesizer, header, voice)
        for piece in cut(plain(header["text"])):
            if data := await self._in_turn(lambda piece=piece: utterance.spoken(piece)):
                yield {}, data
        if data := await self._in_turn(utterance.finished):
            yield {}, data
        yield utterance.counts(), b""

    async def _in_turn(self, make: Callable[[], ResultT]) -> ResultT:
        async with self._turn:
            work = asyncio.get_running_loop().run_in_executor(self._thread, make)
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                self._synthesizer.stop()
                # The next piece has the thread for itself, so that a `stop` is never meant for another.
                while not work.done():
                    with suppress(asyncio.CancelledError):  # a second one, such as the end of the connection
                        await asyncio.wait([work])
                raise


class SpokenUtterance:
    """One request's way from pieces of text to the bytes of its file."""

    def __init__(self, synthesizer: Synthesizer, header: Header, voice: str) -> None:
        speed: float = header["speed"]
        self._synthesizer = synthesizer
        self._voice = voice
        self._own_speed = synthesizer.own_speed(speed)
        self._tempo = Tempo(speed / self._own_speed, synthesizer.sample_rate)
        self._encoder = Encoder(header["format"], synthesizer.sample_rate)
        self._pause = 0.0
        self._samples = 0
        self._tokens = 0

    def spoken(self, piece: Piece) -> bytes:
        """The next bytes, with the sound of `piece` in them; what a codec keeps back comes with later ones."""
        voiced = self._synthesizer.speak(piece.text, self._voice, self._own_speed)
        self._tokens += voiced.tokens
        sound = trimmed(voiced.samples, self._synthesizer.sample_rate)
        if not sound.size:
            return b""
        # A pause belongs between two sounds, not behind the last.
        before = self._silence(self._pause / self._own_speed)
        self._pause = piece.pause
        return self._encoded(self._tempo.feed(np.concatenate([before, sound])))

    def finished(self) -> bytes:
        """The last bytes of the file."""
        rest = self._encoded(self._tempo.finish())
        if not self._samples:
            rest += self._encoded(self._silence(NOTHING_SECONDS))
        return rest + self._encoder.finish()

    def counts(self) -> dict[str, Any]:
        """What was spoken, in the words of `SpeechEnd`."""
        seconds = self._samples / self._synthesizer.sample_rate
        tokens = max(1, round(seconds * TOKENS_A_SECOND))
        return {"input_tokens": self._tokens, "output_tokens": tokens, "duration": round(seconds, 3)}

    def _encoded(self, samples: Samples) -> bytes:
        self._samples += samples.size
        return self._encoder.encode(samples)

    def _silence(self, seconds: float) -> Samples:
        return np.zeros(round(seconds * self._synthesizer.sample_rate), np.float32)
