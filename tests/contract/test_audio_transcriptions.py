"""Transcriptions and translations on the wire: every answer fits its schema, and every refusal has its own words."""

import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from serving import Served, serving
from smalt.core.settings import DeploymentSettings, LimitSettings, Settings
from smalt.schemas.vocabulary import check_answer

Json = dict[str, Any]

MOST_BYTES = 512 * 1024
OPENAI = "/v1"
AZURE = "/openai/v1"
CLASSIC = "/openai/deployments/ears"
MOUNTS = [OPENAI, AZURE, CLASSIC]
HEARD_NOTHING = {"type": "duration", "seconds": 0}
FORMATS = "['flac', 'm4a', 'mp3', 'mp4', 'mpeg', 'mpga', 'oga', 'ogg', 'wav', 'webm']"


def a_recording(seconds: float = 1.5, *, level: int = 1) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes([level, 0]) * round(8000 * seconds))
    return target.getvalue()


RECORDING = a_recording()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose models are echoes: `ears` hears, and so does `whisper-1`; `mute` does neither hear nor speak."""
    deployments = {
        "ears": DeploymentSettings(engine="echo"),
        "whisper": DeploymentSettings(engine="echo"),
        "broken": DeploymentSettings(engine="echo", options={"fail_after": 0}),
        "fragile": DeploymentSettings(engine="echo", options={"fail_after": 1}),
        "mute": DeploymentSettings(engine="echo", abilities=["chat_completion"]),
    }
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        starter=False,
        deployments=deployments,
        aliases={"whisper-1": "whisper"},
        audio={"upload_bytes": MOST_BYTES},  # pyright: ignore[reportArgumentType] - as a file of settings would have it
        limits=LimitSettings(requests_per_minute=100_000, tokens_per_minute=10_000_000),
    )
    with serving(settings) as server:
        yield server


@pytest.fixture(scope="module")
def http(served: Served) -> Iterator[httpx2.Client]:
    params = {"api-version": "preview"}
    with httpx2.Client(base_url=served.url, headers={"api-key": served.key}, params=params, timeout=60) as client:
        yield client


def send(
    http: httpx2.Client, mount: str = OPENAI, *, task: str = "transcriptions", content: bytes = RECORDING, **fields: Any
) -> httpx2.Response:
    """Send a recording with its fields; `include_` stands for `include[]`, and so on."""
    data = {"model": "ears"} | {name.removesuffix("_") + "[]" * name.endswith("_"): it for name, it in fields.items()}
    params = {"api-version": "2024-10-21"} if mount == CLASSIC else {}
    return http.post(f"{mount}/audio/{task}", files={"file": ("a.wav", content)}, data=data, params=params)


def error_of(answer: httpx2.Response) -> Json:
    assert 400 <= answer.status_code < 500, answer.text
    return answer.json()["error"]


def events_of(answer: httpx2.Response) -> list[Json]:
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    lines = answer.text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"include_": "logprobs"},
        {"response_format": "verbose_json"},
        {"response_format": "verbose_json", "timestamp_granularities_": "word"},
        {"response_format": "verbose_json", "timestamp_granularities_": ["word", "segment"]},
        {"response_format": "diarized_json"},
    ],
)
def test_a_transcript_in_json_fits_its_schema(http: httpx2.Client, mount: str, fields: Json) -> None:
    answer = send(http, mount, **fields)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    check_answer("AzureAudioTranscriptionResponse", told)
    assert ("usage" in told) == (mount == OPENAI)
    assert "null" not in answer.text


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("response_format", ["json", "verbose_json"])
def test_a_translation_in_json_fits_its_schema(http: httpx2.Client, mount: str, response_format: str) -> None:
    answer = send(http, mount, task="translations", response_format=response_format)
    assert answer.status_code == 200
    check_answer("AzureAudioTranslationResponse", answer.json())


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("task", ["transcriptions", "translations"])
@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
def test_what_is_no_json_is_plain_text(http: httpx2.Client, mount: str, task: str, response_format: str) -> None:
    answer = send(http, mount, task=task, response_format=response_format)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    beginning = {"text": "", "srt": "1\n00:00:00,000 --> ", "vtt": "WEBVTT\n\n00:00:00.000 --> "}[response_format]
    assert answer.text.startswith(beginning)
    assert answer.text.endswith({"text": "\n", "srt": "\n\n\n", "vtt": "\n\n"}[response_format])


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("fields", [{}, {"include_": "logprobs"}, {"response_format": "text"}])
def test_every_event_of_a_stream_fits_its_schema(http: httpx2.Client, mount: str, fields: Json) -> None:
    *deltas, done = events_of(send(http, mount, content=a_recording(4), stream="true", **fields))
    for event in (*deltas, done):
        check_answer("CreateTranscriptionResponseStreamEvent", event)
        assert ("logprobs" in event) == ("include_" in fields)
    assert {event["type"] for event in deltas} == {"transcript.text.delta"}
    assert done["type"] == "transcript.text.done"
    assert (
        "".join(event["delta"] for event in deltas) == done["text"] == send(http, content=a_recording(4)).json()["text"]
    )
    assert done["usage"]["total_tokens"] == done["usage"]["input_tokens"] + done["usage"]["output_tokens"]


def test_a_stream_that_tells_speakers_apart_has_a_segment_behind_its_words(http: httpx2.Client) -> None:
    events = events_of(send(http, stream="true", response_format="diarized_json"))
    for event in events:
        check_answer("CreateTranscriptionResponseStreamEvent", event)
    delta, segment, _ = events
    assert delta["segment_id"] == segment["id"] == "seg_0"
    assert segment["type"] == "transcript.text.segment"


def test_a_stream_of_silence_is_only_its_end(http: httpx2.Client) -> None:
    (done,) = events_of(send(http, content=a_recording(level=0), stream="true"))
    assert (done["type"], done["text"]) == ("transcript.text.done", "")


def test_silence_has_an_empty_transcript_in_every_format(http: httpx2.Client) -> None:
    silence = a_recording(level=0)
    assert send(http, content=silence).json()["text"] == ""
    told = send(http, content=silence, response_format="verbose_json").json()
    assert (told["text"], told["segments"], told["duration"]) == ("", [], 1.5)
    written = [send(http, content=silence, response_format=name).text for name in ("text", "srt", "vtt")]
    assert written == ["\n", "\n", "WEBVTT\n\n"]


@pytest.mark.parametrize("mount", MOUNTS)
def test_a_language_that_is_no_code_is_refused_in_the_known_words(http: httpx2.Client, mount: str) -> None:
    answer = send(http, mount, language="klingon")
    error = error_of(answer)
    assert error == {
        "message": "Invalid language 'klingon'. Language parameter must be specified in ISO-639-1 format.",
        "type": "invalid_request_error",
        "param": "language",
        "code": "invalid_language_format",
    }
    assert answer.json().get("usage") == (HEARD_NOTHING if mount == OPENAI else None)


@pytest.mark.parametrize("content", [b"", b"Once upon a time.", b"PK\x03\x04" + bytes(100)])
@pytest.mark.parametrize("mount", MOUNTS)
def test_what_is_no_recording_is_refused_in_the_known_words(http: httpx2.Client, mount: str, content: bytes) -> None:
    answer = send(http, mount, content=content)
    assert answer.status_code == 400
    assert error_of(answer) == {
        "message": f"Invalid file format. Supported formats: {FORMATS}",
        "type": "invalid_request_error",
        "param": "file",
        "code": None,
    }


@pytest.mark.parametrize("mount", MOUNTS)
def test_a_recording_over_the_limit_is_refused_in_the_known_words(http: httpx2.Client, mount: str) -> None:
    assert send(http, mount, content=RECORDING[:44] + bytes(MOST_BYTES - 44)).status_code == 200
    answer = send(http, mount, content=bytes(5 * MOST_BYTES))
    assert answer.status_code == 413
    assert error_of(answer) == {
        "message": f"413: Maximum content size limit ({MOST_BYTES}) exceeded ({5 * MOST_BYTES} bytes read)",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert answer.json().get("usage") == (HEARD_NOTHING if mount == OPENAI else None)


def test_the_model_may_be_left_out_only_on_azure(http: httpx2.Client) -> None:
    files = {"file": ("a.wav", RECORDING)}
    assert http.post("/openai/v1/audio/transcriptions", files=files).status_code == 200
    params = {"api-version": "2024-10-21"}
    assert http.post("/openai/deployments/ears/audio/translations", files=files, params=params).status_code == 200
    error = error_of(http.post("/v1/audio/transcriptions", files=files))
    assert (error["param"], error["code"]) == ("model", "missing_required_parameter")


def test_a_model_that_cannot_hear_says_which_can(http: httpx2.Client) -> None:
    answer = send(http, model="mute")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "OperationNotSupported")
    assert "ears" in answer.json()["error"]["message"]


def test_what_is_no_form_is_refused(http: httpx2.Client) -> None:
    for answer in (http.post("/v1/audio/transcriptions", json={"model": "ears"}), http.post("/v1/audio/translations")):
        assert (answer.status_code, "multipart/form-data" in answer.text) == (400, True)


def test_a_failure_before_the_first_words_is_a_status_and_a_later_one_an_event(http: httpx2.Client) -> None:
    assert send(http, model="broken", stream="true").status_code == 500
    answer = send(http, model="fragile", content=a_recording(30), stream="true")
    assert answer.status_code == 200
    words, failure = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    assert words["type"] == "transcript.text.delta"
    assert failure["error"]["type"] == "server_error"
    assert send(http, model="fragile", content=a_recording(30)).status_code == 500


@pytest.mark.parametrize("task", ["transcriptions", "translations"])
def test_the_headers_tell_what_is_left_of_the_minute(http: httpx2.Client, task: str) -> None:
    answer = send(http, task=task)
    assert {"x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens"} <= set(answer.headers)
