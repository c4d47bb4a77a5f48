"""An answer in words on its way to the one who speaks it: its chunks, and the text of each choice."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from dataclasses import dataclass, field

from smalt.api.chat.script import Script, speakable
from smalt.api.generation import Chunk
from smalt.store.spoken_answers import spoken_answer_id

BLOCK = 24_000
"""Bytes of one piece of sound: half a second, whole samples, and whole in base64, so that pieces can be joined."""

WHOLE = 6


@dataclass(slots=True)
class Part:
    """What one choice says: its words, and the sound that is made of them."""

    choice: int
    id: str = field(default_factory=spoken_answer_id)
    script: Script = field(default_factory=Script)
    sound: bytearray = field(default_factory=bytearray)
    last: Chunk | None = None
    """The chunk with the finish reason; it waits for the sound."""

    def blocks(self, *, is_last: bool) -> Generator[bytes]:
        """The sound so far in pieces; without `is_last`, what does not make a whole piece waits."""
        whole = len(self.sound) if is_last else len(self.sound) // WHOLE * WHOLE
        sound = bytes(self.sound[:whole])
        del self.sound[:whole]
        for start in range(0, whole, BLOCK):
            yield sound[start : start + BLOCK]


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be spoken next, or nothing more when the part has ended."""

    part: Part
    text: str


class Written:
    """Reads the chunks of an answer as fast as they come; its words become the transcript of what is spoken."""

    def __init__(self, *, is_in_pieces: bool) -> None:
        self.usage: Chunk | None = None
        self._is_in_pieces = is_in_pieces
        self._parts: dict[int, Part] = {}
        self._ready: deque[Chunk] = deque()
        self._head: Chunk = {}
        self._news = asyncio.Event()

    def begin(self, chunks: AsyncGenerator[Chunk]) -> asyncio.Task[None]:
        """Begin to read: the chat model shall be free as soon as it has answered, however long speaking takes."""
        reading = asyncio.create_task(self._read(chunks))
        reading.add_done_callback(self._has_read)
        return reading

    async def lines(self, reading: asyncio.Task[None]) -> AsyncGenerator[Line | None]:
        """What is to be spoken, as soon as there is something; None when there are only chunks to send."""
        while True:
            self._news.clear()
            is_read = reading.done()
            if is_read:
                reading.result()
            line = self._line()
            yield line
            if line is None:
                if is_read:
                    return
                await self._news.wait()

    def drained(self) -> Generator[Chunk]:
        """The chunks that were read and not yet sent."""
        while self._ready:
            yield self._ready.popleft()

    def sound_chunk(self, part: Part, audio: Chunk) -> Chunk:
        """A chunk with a piece of what is heard."""
        piece: Chunk = {"index": part.choice, "delta": {"audio": audio}, "logprobs": None, "finish_reason": None}
        if "content_filter_results" in self._head["choices"][0]:
            piece["content_filter_results"] = {}
        chunk = {**self._head, "choices": [piece]}
        if "usage" in chunk:
            chunk["usage"] = None
        return chunk

    def _has_read(self, reading: asyncio.Task[None]) -> None:
        """Wake the reader of lines; when it has gone, why the answer failed is of no interest."""
        if not reading.cancelled():
            reading.exception()
        self._news.set()

    async def _read(self, chunks: AsyncGenerator[Chunk]) -> None:
        async with aclosing(chunks):
            async for chunk in chunks:
                self._note(chunk)
                self._news.set()

    def _note(self, chunk: Chunk) -> None:
        if not chunk["choices"] and chunk.get("usage") is not None:
            self.usage = chunk
            return
        if not any("delta" in piece for piece in chunk["choices"]):
            # What the content filter or a moderation model says is passed on as it is.
            self._ready.append(chunk)
            return
        self._head = chunk
        (piece,) = chunk["choices"]
        choice: int = piece["index"]
        part = self._parts.setdefault(choice, Part(choice))
        if piece["finish_reason"] is not None:
            part.script.is_ended, part.last = True, chunk
            return
        self._ready.append({**chunk, "choices": [{**piece, "delta": _told(part, piece["delta"])}]})

    def _line(self) -> Line | None:
        for part in self._parts.values():
            text = speakable(part.script.take() if self._is_in_pieces else part.script.take_all())
            if text or (part.last is not None and part.script.is_done):
                return Line(part, text)
        return None


def _told(part: Part, delta: Chunk) -> Chunk:
    """The delta with its words as a transcript."""
    text: str | None = delta.get("content")
    if not text:
        return {**delta, "content": None} if "content" in delta else delta
    audio = {"transcript": text} if part.script.transcript else {"id": part.id, "transcript": text}
    part.script.add(text)
    return {**delta, "content": None, "audio": audio}
