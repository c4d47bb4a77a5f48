"""An answer is spoken while it is written, and not a moment longer than somebody listens."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from math import ceil
from pathlib import Path
from typing import Any, cast

import pytest

from purse import Purse
from smalt.api.accounting import Tally
from smalt.api.chat.speaking import Speaker, Speakers
from smalt.core.errors import EngineFailed, Unavailable
from smalt.core.settings import AudioSettings
from smalt.engines.audio import SpeechAudio, SpeechEnd, SpeechEvent, Utterance
from smalt.engines.protocols import Deployment, Usage
from smalt.http.call import Call
from smalt.models import Models
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.store.database import Database
from smalt.store.migrating import migrate
from smalt.store.spoken_answers import SpokenAnswers


class Mouth:
    """Speech models with one engine, which notes what it does; without room it can be had only the second time."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.said: list[str] = []
        self.is_closed = False
        self.has_room = has_room
        self.leases = 0

    def find(self, name: str) -> Deployment:
        return Deployment(name, "mouth", "mouth", frozenset({"audio_speech"}))

    @asynccontextmanager
    async def lease(self, _name: str, _ability: type) -> AsyncIterator["Mouth"]:
        if not self.has_room:
            self.has_room = True
            raise Unavailable("There is no room.")
        self.leases += 1
        yield self
        self.leases -= 1

    async def speak(self, utterance: Utterance) -> AsyncGenerator[SpeechEvent]:
        self.said.append(utterance.text)
        try:
            for _ in utterance.text.split():
                yield SpeechAudio(b"\1\0\2\0")
                await asyncio.sleep(0)
            yield SpeechEnd(1, 2, 0.1)
        finally:
            self.is_closed = True


@pytest.fixture
async def spoken(tmp_path: Path) -> AsyncIterator[SpokenAnswers]:
    migrate(tmp_path / "smalt.db")
    database = Database.open(tmp_path / "smalt.db")
    yield SpokenAnswers(database, seconds=60)
    await database.close()


def chunk(delta: dict[str, Any], finish_reason: str | None = None, choice: int = 0) -> dict[str, Any]:
    piece = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {"id": "c", "choices": [piece]}


def speaker(mouth: Mouth, spoken: SpokenAnswers, tally: Tally, *meters: Purse) -> Speaker:
    fields = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "pcm16"}, "stream": True}
    body = AzureCreateChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    )
    call = Call("azure_v1", "POST", "/chat/completions", "request", meters=meters)
    return Speakers(cast("Models", mouth), AudioSettings(), spoken).speaker(body, tally, call)


async def written(*texts: str, fails: bool = False) -> AsyncGenerator[dict[str, Any]]:
    yield chunk({"role": "assistant", "content": ""})
    for text in texts:
        yield chunk({"content": text})
        await asyncio.sleep(0.02)
    if fails:
        raise EngineFailed("The model broke.")
    yield chunk({}, "stop")
    yield {"id": "c", "choices": [], "usage": {}}


async def test_the_usage_that_comes_last_has_the_sound_in_it(spoken: SpokenAnswers):
    mouth, tally = Mouth(), Tally("m")
    tally.usage = Usage(3, 4)
    chunks = [one async for one in speaker(mouth, spoken, tally).chunks(written("One. ", "Two."))]
    assert chunks[-1]["usage"]["completion_tokens"] == 4 + tally.spoken_tokens
    assert (mouth.leases, tally.spoken_tokens) == (0, 2 * len(mouth.said))


async def test_without_room_for_both_it_is_spoken_after_the_text(spoken: SpokenAnswers):
    mouth = Mouth(has_room=False)
    chunks = [one async for one in speaker(mouth, spoken, Tally("m")).chunks(written("One. ", "Two."))]
    assert " ".join(mouth.said).split() == ["One.", "Two."]
    assert chunks[-1]["choices"] == []


async def test_a_failing_chat_model_fails_the_answer(spoken: SpokenAnswers):
    with pytest.raises(EngineFailed, match="The model broke"):
        [one async for one in speaker(Mouth(), spoken, Tally("m")).chunks(written("One. ", fails=True))]


async def test_nobody_is_spoken_to_who_has_gone(spoken: SpokenAnswers):
    mouth, answer, purse = Mouth(), written("One two three four. ", "Five."), Purse()
    async with aclosing(speaker(mouth, spoken, Tally("m"), purse).chunks(answer)) as chunks:
        async for one in chunks:
            if "data" in one["choices"][0]["delta"].get("audio", {}):
                break
    assert (mouth.is_closed, mouth.said) == (True, [mouth.said[0]])
    (line,) = mouth.said
    assert purse.spent_tokens == [("mouth", ceil(len(line) / 4), 1)], "the text, and a first piece of its sound"
    with pytest.raises(StopAsyncIteration):
        await anext(answer)


async def test_what_is_only_marks_has_no_sound(spoken: SpokenAnswers):
    mouth = Mouth()
    chunks = [one async for one in speaker(mouth, spoken, Tally("m")).chunks(written("…"))]
    assert mouth.said == []
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
