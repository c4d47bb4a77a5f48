"""How a recording is heard: the request's time begins anew with everything that an engine tells of it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from smalt.api.audio.asking import Asked
from smalt.api.audio.listening import Listening
from smalt.api.audio.transcript import Transcript
from smalt.engines.audio import Recording, TranscriptEnd, TranscriptEvent, TranscriptProgress, TranscriptSegment
from smalt.http.call import Call


class Ears:
    """Hears a word, then a long time nothing; notes when the call got on."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.progressed: list[float | None] = []

    @asynccontextmanager
    async def lease(self, name: str, ability: type) -> AsyncGenerator["Ears"]:
        del name, ability
        yield self

    async def transcribe(self, recording: Recording) -> AsyncGenerator[TranscriptEvent]:
        del recording
        for event in (TranscriptSegment(" Well.", 0.0, 1.0), TranscriptProgress(), TranscriptEnd("english", 600.0)):
            self.progressed.append(self._call.progressed_at)
            yield event


@pytest.mark.parametrize("stream", [False, True])
async def test_whatever_is_told_of_a_recording_is_progress(*, stream: bool) -> None:
    call = Call("openai_v1", "POST", "/", "req_1")
    ears: Any = Ears(call)
    asked = Asked("ears", Recording(b"", "a.wav"), "json", stream=stream)
    listening = Listening(ears, asked, Transcript("ears"), call)
    if stream:
        events = [event async for event in listening.events()]
        assert len(events) == 3, "a delta, the end, and the mark behind it: where nothing is said nothing is sent"
    else:
        assert (await listening.whole()).text == "Well."
    times = [*ears.progressed, call.progressed_at]
    assert times[0] is None
    assert len(set(times)) == 4
