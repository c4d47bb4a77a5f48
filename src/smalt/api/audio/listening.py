"""Lets an engine hear a recording, and gives its words whole or as events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from smalt.api.audio.asking import Asked
from smalt.api.audio.transcript import Piece, Transcript
from smalt.api.audio.transcript_answers import diarized_json, logprobs_json, segment_id, usage_in_tokens
from smalt.api.closing import Closing
from smalt.engines.audio import TranscriptionEngine
from smalt.http.call import Call
from smalt.http.event_stream import DONE, data
from smalt.models import Models


@dataclass(frozen=True, slots=True)
class Listening:
    """One recording that is being heard; what it costs is reported however it ends."""

    models: Models
    asked: Asked
    transcript: Transcript
    call: Call

    async def whole(self) -> Transcript:
        """Hear the recording to its end."""
        async with aclosing(self._pieces()) as pieces:
            async for _ in pieces:
                pass
        return self.transcript

    async def events(self) -> AsyncGenerator[bytes]:
        """The words as server-sent events, as they are heard, and the end that clients wait for."""
        async with aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                for told in self._told(piece):
                    yield data(orjson.dumps(told))
        yield data(orjson.dumps(self._done()))
        yield DONE

    async def _pieces(self) -> AsyncGenerator[Piece]:
        try:
            async with (
                self.models.lease(self.asked.model, TranscriptionEngine) as engine,
                Closing(engine.transcribe(self.asked.recording)) as events,
            ):
                async for event in events:
                    self.call.progress()
                    if piece := self.transcript.add(event):
                        yield piece
        finally:
            self.transcript.spend(self.call)

    def _told(self, piece: Piece) -> list[dict[str, Any]]:
        """The events that a piece makes: its words, and who spoke them where that is asked for."""
        told: list[dict[str, Any]] = []
        if piece.text:
            told.append({"type": "transcript.text.delta", "delta": piece.text})
            if self.asked.recording.with_logprobs:
                told[0]["logprobs"] = logprobs_json(piece.logprobs)
        if self.asked.recording.with_speakers:
            whose = diarized_json(piece, model=self.asked.model)
            told = [*({**delta, "segment_id": segment_id(piece)} for delta in told), whose]
        return told

    def _done(self) -> dict[str, Any]:
        done: dict[str, Any] = {"type": "transcript.text.done", "text": self.transcript.text}
        if self.asked.recording.with_logprobs:
            done["logprobs"] = logprobs_json(self.transcript.logprobs)
        if self.transcript.has_tokens:
            done["usage"] = usage_in_tokens(self.transcript)
        return done
