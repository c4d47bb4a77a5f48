"""Speech keeps to the reference: what is asked, what is answered, and what a served stream says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from serving import Served, serving_echoes
from smalt.schemas.speech import AzureCreateSpeechRequestMultiPart
from smalt.schemas.vocabulary import check_answer

EVENT = "CreateSpeechResponseStreamEvent"
USAGE = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
ASKED = {"model": "tts-1", "input": "Hello", "voice": "alloy"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("echoes")
    with serving_echoes(folder) as served:
        yield served


@pytest.mark.parametrize(
    "event",
    [
        {"type": "speech.audio.delta", "audio": "SUQz"},
        {"type": "speech.audio.done", "usage": USAGE},
    ],
)
def test_the_reference_s_events_fit(event: dict[str, Any]):
    check_answer(EVENT, event)
    with pytest.raises(ValidationError):
        check_answer(EVENT, {**event, "more": 1})


@pytest.mark.parametrize(
    "fields",
    [
        {"voice": {"id": "voice_1234"}, "speed": 1},
        {"voice": "any-engine-s-own", "speed": 0.25, "response_format": "pcm", "stream_format": "sse"},
        {"instructions": "Softly.", "speed": 4.0, "user": "a field of another time"},
    ],
)
def test_the_reference_s_requests_fit(fields: dict[str, Any]):
    AzureCreateSpeechRequestMultiPart.model_validate({**ASKED, **fields})


@pytest.mark.parametrize("mount", ["/v1", "/openai/v1"])
def test_a_served_stream_is_made_of_the_reference_s_events(served: Served, mount: str):
    answer = httpx.post(
        f"{served.url}{mount}/audio/speech",
        json={**ASKED, "model": "echo", "stream_format": "sse"},
        headers={"Authorization": f"Bearer {served.key}"},
        timeout=30,
    )
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    for line in lines[:-1]:
        check_answer(EVENT, json.loads(line))
