"""Speech is sent as it is made, paid for as far as it was made, and made no further than somebody listens."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from purse import Purse
from serving import Served, serving
from smalt.api.audio.speech import spoken, utterance_of
from smalt.core.content_filter_settings import ContentFilterSettings
from smalt.core.settings import Settings
from smalt.engines.audio import SpeechAudio, SpeechEnd, SpeechEvent, Utterance
from smalt.engines.protocols import Deployment, Serving
from smalt.http.call import Call
from smalt.schemas.speech import AzureCreateSpeechRequestMultiPart

BODY = {"model": "m", "input": "Hello", "voice": "alloy"}


class EndlessSpeaker:
    """Speaks until nobody listens any more."""

    def __init__(self) -> None:
        self.is_closed = threading.Event()

    async def speak(self, utterance: Utterance) -> AsyncGenerator[SpeechEvent]:
        try:
            yield Serving("the-speaker")
            yield SpeechAudio(b"")
            while True:
                yield SpeechAudio(utterance.text.encode())
                await asyncio.sleep(0.001)
        finally:
            self.is_closed.set()


class OneModel:
    """Models of which there is one."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def find(self, name: str) -> Deployment:
        return Deployment(name, "test", name, frozenset({"audio_speech"}))

    @asynccontextmanager
    async def lease(self, name: str, ability: type) -> AsyncGenerator[Any]:
        del name, ability
        yield self._engine

    async def close(self) -> None:
        return


@pytest.fixture
def speaker() -> EndlessSpeaker:
    return EndlessSpeaker()


@pytest.fixture
def served(tmp_path: Path, speaker: EndlessSpeaker) -> Iterator[Served]:
    settings = Settings(data_dir=tmp_path, starter=False, content_filter=ContentFilterSettings(enabled=False))
    with serving(settings, models=OneModel(speaker)) as served:
        yield served


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_a_client_that_leaves_ends_the_work(served: Served, speaker: EndlessSpeaker, stream_format: str):
    body = {**BODY, "stream_format": stream_format}
    headers = {"Authorization": f"Bearer {served.key}"}
    with httpx.stream("POST", f"{served.url}/v1/audio/speech", json=body, headers=headers, timeout=30) as answer:
        assert next(answer.iter_raw())
        assert not speaker.is_closed.is_set()
    assert speaker.is_closed.wait(30)


async def spent(*events: SpeechEvent) -> list[tuple[str, int, int]]:
    class Speaker:
        async def speak(self, utterance: Utterance) -> AsyncGenerator[SpeechEvent]:
            del utterance
            for event in events:
                yield event

    purse = Purse()
    call = Call("openai_v1", "POST", "/v1/audio/speech", "req_1", meters=(purse,))
    models: Any = OneModel(Speaker())
    async for _ in spoken(models, "ours", Utterance("Hello there", "alloy"), call=call):
        pass
    return purse.spent_tokens


async def test_a_whole_speech_costs_what_the_engine_says():
    assert await spent(Serving("theirs"), SpeechAudio(b"x"), SpeechEnd(3, 20, 1.0)) == [("theirs", 3, 20)]


async def test_a_speech_that_was_left_costs_its_text_and_the_seconds_that_were_made():
    two_seconds = SpeechAudio(bytes(12_000)), SpeechAudio(bytes(12_000))
    assert await spent(*two_seconds) == [("ours", 3, 40)]


async def test_a_speech_that_never_began_costs_nothing():
    assert await spent(Serving("theirs")) == []


def asked(**fields: Any) -> Utterance:
    return utterance_of(AzureCreateSpeechRequestMultiPart.model_validate({**BODY, **fields}))


def test_what_is_left_out_has_the_reference_s_defaults():
    assert asked() == Utterance("Hello", "alloy", format="mp3", speed=1.0, instructions=None)
    assert asked(speed=None, response_format=None, instructions="") == asked()


def test_every_field_reaches_the_engine():
    utterance = asked(voice={"id": "mine"}, speed=2, response_format="wav", instructions="Softly.")
    assert utterance == Utterance("Hello", "mine", format="wav", speed=2.0, instructions="Softly.")
