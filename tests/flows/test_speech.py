"""Speech through the SDK, on every mount, over the echo engine."""

import base64
import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from contract.audio_engine_suites import BEGINNINGS
from serving import Served

TEXT = "The ship went out to sea. Nobody saw it again."
MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


def speak(client: openai.OpenAI, text: str = TEXT, **fields: Any) -> Any:
    asked: dict[str, Any] = {"model": "echo", "voice": "alloy", "input": text, **fields}
    return client.audio.speech.create(**asked)


def events_of(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        if line.startswith("data: "):
            yield line if line == "data: [DONE]" else json.loads(line[6:])


@pytest.fixture
def http(echo_server: Served) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {echo_server.key}"}
    with httpx.Client(base_url=echo_server.url, headers=headers, timeout=30) as client:
        yield client


@pytest.mark.parametrize("model", ["echo", "far"])
@pytest.mark.parametrize("audio_format", MEDIA_TYPES)
def test_each_format_has_its_content_type(client: openai.OpenAI, model: str, audio_format: str):
    answer = speak(client, model=model, response_format=audio_format)
    assert answer.response.headers["content-type"] == MEDIA_TYPES[audio_format]
    assert answer.content.startswith(BEGINNINGS[audio_format])


@pytest.mark.parametrize("model", ["echo", "far"])
def test_the_default_is_mp3(client: openai.OpenAI, model: str):
    answer = speak(client, model=model)
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert answer.content == speak(client, response_format="mp3").content


@pytest.mark.parametrize("model", ["echo", "far"])
@pytest.mark.parametrize("audio_format", ["wav", "mp3", "flac", "opus"])
def test_what_an_echo_says_can_be_transcribed_again(client: openai.OpenAI, model: str, audio_format: str):
    content = speak(client, model=model, response_format=audio_format).content
    heard = client.audio.transcriptions.create(model=model, file=(f"speech.{audio_format}", content))
    assert heard.text == TEXT


def test_a_voice_may_be_named_by_an_object(client: openai.OpenAI):
    assert speak(client, voice={"id": "nova"}).content == speak(client, voice="nova").content
    assert speak(client, voice="nova", response_format="pcm").content != speak(client, response_format="pcm").content


def test_speed_changes_how_long_it_takes(client: openai.OpenAI):
    lengths = [len(speak(client, response_format="pcm", speed=speed).content) for speed in (0.25, 1, 4)]
    assert lengths[0] / lengths[1] == pytest.approx(4, rel=0.01)
    assert lengths[1] / lengths[2] == pytest.approx(4, rel=0.01)


def test_a_wav_file_says_how_long_it_is(client: openai.OpenAI):
    with wave.open(io.BytesIO(speak(client, response_format="wav").content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        assert len(file.readframes(file.getnframes())) == 2 * file.getnframes() > 0


@pytest.mark.parametrize("model", ["echo", "far"])
def test_events_hold_the_same_sound_and_the_usage(client: openai.OpenAI, model: str):
    told = list(events_of(speak(client, model=model, stream_format="sse").text))
    assert [event["type"] for event in told[:-2]] == ["speech.audio.delta"] * (len(told) - 2)
    sound = b"".join(base64.b64decode(event["audio"]) for event in told[:-2])
    assert sound == speak(client).content
    usage = told[-2]["usage"]
    assert told[-2]["type"] == "speech.audio.done"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    assert told[-1] == "data: [DONE]"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"text": ""}, "input", "empty_string"),
        ({"text": "a" * 4097}, "input", "string_above_max_length"),
        ({"voice": "nobody"}, "voice", "unsupported_value"),
        ({"voice": {"id": "nobody"}}, "voice", "unsupported_value"),
        ({"speed": 0.2}, "speed", "decimal_below_min_value"),
        ({"speed": 4.1}, "speed", "decimal_above_max_value"),
        ({"instructions": "a" * 4097}, "instructions", "string_above_max_length"),
    ],
)
def test_what_cannot_be_spoken_is_refused_by_name(client: openai.OpenAI, fields: Any, param: str, code: str):
    with pytest.raises(openai.BadRequestError) as refusal:
        speak(client, **fields)
    assert (refusal.value.param, refusal.value.code) == (param, code)


@pytest.mark.parametrize("field", ["response_format", "stream_format"])
def test_an_unknown_format_is_refused_with_those_there_are(client: openai.OpenAI, field: str):
    with pytest.raises(openai.BadRequestError, match="Supported values are") as refusal:
        speak(client, **{field: "ogg"})
    assert refusal.value.param == field


def test_the_longest_text_is_spoken(client: openai.OpenAI):
    assert speak(client, "🙂" * 4096, speed=4).content


def test_a_model_that_does_not_speak_says_which_does(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError, match="Choose one of: echo"):
        speak(client, model="chat-only")


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_a_failure_to_begin_has_a_status_of_its_own(client: openai.OpenAI, stream_format: str):
    with pytest.raises(openai.InternalServerError, match="fail_after"):
        speak(client, model="broken", stream_format=stream_format)


def test_a_failure_in_the_middle_breaks_the_connection(client: openai.OpenAI):
    with pytest.raises(openai.APIConnectionError):
        speak(client, model="fragile")
    told = list(events_of(speak(client, model="fragile", stream_format="sse").text))
    assert "fail_after" in told[-1]["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/openai/v1/audio/speech?api-version=preview"])
def test_a_form_asks_for_the_same_as_json(http: httpx.Client, path: str):
    body = {"model": "echo", "voice": "nova", "input": "Grüße, Welt!", "response_format": "wav"}
    form = {name: (None, value) for name, value in {**body, "speed": "1.5"}.items()}
    from_form = http.post(path, files=form)
    assert from_form.status_code == 200
    assert from_form.content == http.post(path, json={**body, "speed": 1.5}).content


def test_the_deployment_of_a_path_stands_for_the_model_of_a_form(http: httpx.Client):
    path = "/openai/deployments/echo/audio/speech?api-version=2025-04-01-preview"
    answer = http.post(path, files={"voice": (None, "nova"), "input": (None, "Hello")})
    assert answer.headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize("voice", [{"voice": '{"id": "nova"}'}, {"voice[id]": "nova"}])
def test_a_form_spells_a_voice_s_object_in_either_way(http: httpx.Client, voice: dict[str, str]):
    fields = {"model": "echo", "input": "Hello", "response_format": "pcm", **voice}
    answer = http.post("/v1/audio/speech", files={name: (None, value) for name, value in fields.items()})
    plain = http.post("/v1/audio/speech", json={**fields, "voice": "nova"})
    assert answer.content == plain.content


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"voice": "nova"}, "input"),
        ({"input": "Hello"}, "voice"),
        ({"input": "Hello", "voice": "nova", "speed": "quick"}, "speed"),
        ({"input": "Hello", "voice": "nova", "speed": "nan"}, "speed"),
        ({"input": "Hello", "voice": "{}"}, "voice.id"),
        ({"input": "🙂" * 5000, "voice": "nova"}, "input"),
    ],
)
def test_a_wrong_form_is_refused_by_field(http: httpx.Client, fields: dict[str, str], param: str):
    form = {name: (None, value) for name, value in {"model": "echo", **fields}.items()}
    answer = http.post("/v1/audio/speech", files=form)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_form_elsewhere_is_still_refused(http: httpx.Client):
    answer = http.post("/v1/embeddings", files={"model": (None, "echo"), "input": (None, "Hello")})
    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]["message"]


def test_sound_comes_while_it_is_made(http: httpx.Client):
    """The slow echo takes 40 seconds for 800 words, which is longer than the client waits for the first byte."""
    body = {"model": "slow", "voice": "alloy", "input": "word " * 800, "response_format": "pcm"}
    with http.stream("POST", "/v1/audio/speech", json=body) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert next(answer.iter_raw())
