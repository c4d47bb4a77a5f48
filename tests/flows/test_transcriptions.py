"""Transcriptions and translations through the real client, on every mount, over the echo engine."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import openai
import pysubs2
import pytest
import webvtt

from serving import Served, serving
from smalt.core.content_filter_settings import ContentFilterSettings
from smalt.core.settings import Settings
from smalt.engines.audio import Recording, TranscriptEnd, TranscriptEvent, TranscriptSegment

SAID = "Call me Ishmael. Some years ago, never mind how long precisely, I thought I would sail about a little."
MODELS = ["echo", "far"]


@pytest.fixture(scope="session")
def spoken(echo_server: Served) -> bytes:
    """A recording of what an echo said, which an echo hears again."""
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=echo_server.key, max_retries=0) as client:
        return client.audio.speech.create(model="echo", voice="alloy", input=SAID, response_format="wav").content


def transcribe(client: openai.OpenAI, content: bytes, **fields: Any) -> Any:
    asked: dict[str, Any] = {"model": "echo", "file": ("said.wav", content), **fields}
    transcriptions: Any = client.audio.transcriptions
    return transcriptions.create(**asked)


@pytest.mark.parametrize("model", MODELS)
def test_what_was_said_is_heard(client: openai.OpenAI, spoken: bytes, model: str) -> None:
    assert transcribe(client, spoken, model=model).text == SAID
    assert transcribe(client, spoken, model=model, response_format="text") == f"{SAID}\n"


def test_verbose_json_has_segments_and_words_whose_times_ascend(client: openai.OpenAI, spoken: bytes) -> None:
    told = transcribe(
        client, spoken, response_format="verbose_json", timestamp_granularities=["word", "segment"], language="en"
    )
    assert (told.language, told.text) == ("english", SAID)
    assert "".join(segment.text for segment in told.segments).strip() == SAID
    assert [segment.id for segment in told.segments] == list(range(len(told.segments)))
    times = [moment for word in told.words for moment in (word.start, word.end)]
    assert times == sorted(times)
    assert times[-1] <= told.duration
    assert len(told.words) == len(SAID.split())


def test_words_alone_come_without_segments(client: openai.OpenAI, spoken: bytes) -> None:
    told = transcribe(client, spoken, response_format="verbose_json", timestamp_granularities=["word"])
    assert told.words
    assert told.segments is None
    told = transcribe(client, spoken, response_format="verbose_json")
    assert told.segments
    assert told.words is None


def test_subtitles_are_read_by_others_and_agree_with_the_segments(client: openai.OpenAI, spoken: bytes) -> None:
    segments = transcribe(client, spoken, response_format="verbose_json").segments
    assert len(segments) > 1
    assert " ".join(one.text.strip() for one in segments) == SAID
    srt = pysubs2.SSAFile.from_string(transcribe(client, spoken, response_format="srt"), format_="srt")
    assert [(line.start, line.end, line.plaintext) for line in srt] == [
        (round(one.start * 1000), round(one.end * 1000), one.text.strip()) for one in segments
    ]
    vtt = webvtt.from_string(transcribe(client, spoken, response_format="vtt"))
    assert [(line.start, line.end, line.text) for line in vtt] == [
        (_timestamp(one.start), _timestamp(one.end), one.text.strip()) for one in segments
    ]


def _timestamp(seconds: float) -> str:
    """A time of the first minute as WebVTT writes it."""
    return f"00:00:{seconds:06.3f}"


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_says_the_same(client: openai.OpenAI, spoken: bytes, model: str) -> None:
    *deltas, done = list(transcribe(client, spoken, model=model, stream=True))
    assert len(deltas) > 1
    assert "".join(event.delta for event in deltas) == done.text == SAID
    assert done.usage.output_tokens > 0


def test_tokens_with_their_logprobs_are_the_text(client: openai.OpenAI, spoken: bytes) -> None:
    told = transcribe(client, spoken, include=["logprobs"], chunking_strategy={"type": "server_vad", "threshold": 0.3})
    assert "".join(entry.token for entry in told.logprobs) == SAID


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"language": "tlh"}, "language"),
        ({"temperature": 1.5}, "temperature"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        ({"chunking_strategy": {"type": "server_vad", "threshold": 7}}, "chunking_strategy.threshold"),
        ({"include": ["logprobs"], "response_format": "text"}, "include"),
        ({"stream": True, "response_format": "vtt"}, "stream"),
        ({"known_speaker_names": ["Ada"]}, "known_speaker_names"),
        ({"languages": ["en", "fr"]}, "languages"),
    ],
)
def test_a_mistake_is_refused_by_name(client: openai.OpenAI, spoken: bytes, fields: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        transcribe(client, spoken, **fields)
    assert refusal.value.param == param


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_a_translation_is_in_english(client: openai.OpenAI, spoken: bytes) -> None:
    translations: Any = client.audio.translations
    told = translations.create(model="echo", file=("said.wav", spoken), response_format="verbose_json")
    assert (told.language, told.text) == ("english", SAID)


@dataclass
class Listener:
    """Hears one word and then listens for ever; knows when it was stopped, and what it was given."""

    begun: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    hours: float | None = None
    model: str = "listener"

    def find(self, name: str) -> "Listener":
        del name
        return self

    @asynccontextmanager
    async def lease(self, name: str, ability: type) -> AsyncGenerator["Listener"]:
        del name, ability
        yield self

    async def transcribe(self, recording: Recording) -> AsyncGenerator[TranscriptEvent]:
        self.hours = recording.max_hours
        yield TranscriptSegment(" Well", 0.0, 1.0)
        self.begun.set()
        try:
            await asyncio.sleep(600)
        finally:
            self.stopped.set()
        yield TranscriptEnd("english", 1.0)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def listening(listener: Listener, tmp_path: Path) -> Iterator[Served]:
    settings = Settings(data_dir=tmp_path, starter=False, content_filter=ContentFilterSettings(enabled=False))
    with serving(settings, models=listener) as served:
        yield served


@pytest.mark.parametrize("stream", ["false", "true"])
async def test_a_client_that_goes_stops_the_work(listening: Served, listener: Listener, stream: str) -> None:
    files = {"file": ("a.wav", b"RIFF" + bytes(100_000))}
    url, headers = f"{listening.url}/v1/audio/transcriptions", {"api-key": listening.key}
    data = {"model": "x", "stream": stream}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as client:
        asked = asyncio.create_task(client.post(url, files=files, data=data))
        assert await asyncio.to_thread(listener.begun.wait, 60)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    assert await asyncio.to_thread(listener.stopped.wait, 60)
    assert listener.hours == 12
