"""What was heard for a chat model is booked, whatever becomes of the request."""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from smalt.api.hearing import Ears
from smalt.core.errors import EngineFailed
from smalt.core.settings import AudioSettings
from smalt.engines.audio import Recording, TranscriptEnd, TranscriptEvent, TranscriptSegment
from smalt.engines.protocols import Deployment, Serving, Usage
from smalt.schemas.chat import AzureCreateChatCompletionRequest


class Listener:
    """Hears four seconds; those of a recording that is broken it hears, and then fails."""

    def find(self, name: str) -> Deployment:
        return Deployment(name, "faster_whisper", name, frozenset())

    @asynccontextmanager
    async def lease(self, name: str, ability: type) -> AsyncGenerator["Listener"]:
        del name, ability
        yield self

    async def transcribe(self, recording: Recording) -> AsyncGenerator[TranscriptEvent]:
        yield Serving("whisper-large")
        yield TranscriptSegment(" So it", 0.0, 4.0, tokens=(1, 2, 3))
        if recording.content == b"broken":
            raise EngineFailed("It broke.")
        yield TranscriptEnd("english", 4.5, audio_tokens=225, completion_tokens=3)


def saying(*recordings: bytes) -> AzureCreateChatCompletionRequest:
    parts = [
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(one).decode(), "format": "wav"}}
        for one in recordings
    ]
    return AzureCreateChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": parts}]}
    )


async def test_what_was_heard_before_a_failure_is_booked() -> None:
    models: Any = Listener()
    booked: list[tuple[str, Usage]] = []
    ears = Ears(models, AudioSettings())
    with pytest.raises(EngineFailed):
        await ears.hear(saying(b"whole", b"broken"), lambda model, usage: booked.append((model, usage)))
    assert booked == [("whisper-large", Usage(225, 3)), ("whisper-large", Usage(200, 3))]
    heard = await ears.hear(saying(b"whole"), lambda model, usage: booked.append((model, usage)))
    assert heard.audio_tokens == 225
    assert len(booked) == 2, "what is remembered costs nothing"
