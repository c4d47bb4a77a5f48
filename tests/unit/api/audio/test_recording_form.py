"""A form of a recording is understood in every spelling that clients have for its fields."""

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi.exceptions import RequestValidationError

from smalt.api.audio.failures import RecordingTooLarge
from smalt.api.audio.recording_form import read_form
from smalt.core.errors import ApiError, InvalidRequest
from smalt.core.settings import AudioSettings
from smalt.http.body import Body
from smalt.http.multipart import Part
from smalt.http.validation import invalid_request
from smalt.schemas.audio import AzureCreateTranscriptionRequestMultiPart as Transcription
from smalt.schemas.audio import AzureCreateTranslationRequestMultiPart as Translation
from smalt.schemas.audio import VadConfig

Field = tuple[str, str]
RECORDING = b"RIFF and so on"


class Sent:
    """A request with a form whose file, called a.wav, comes in two pieces before the other fields."""

    def __init__(self, fields: list[Field], content: bytes | None, most_bytes: int) -> None:
        settings = SimpleNamespace(audio=AudioSettings(upload_bytes=most_bytes))
        self.app = SimpleNamespace(state=SimpleNamespace(settings=settings))
        self._fields = fields
        self._content = content

    async def form_parts(self) -> AsyncGenerator[Part]:
        if self._content is not None:
            yield Part("file", "a.wav", pieces(self._content))
        for name, value in self._fields:
            yield Part(name, None, pieces(value.encode()))


async def pieces(content: bytes) -> AsyncGenerator[bytes]:
    for piece in (content[:5], content[5:]):
        if piece:
            yield piece


def read(
    *fields: Field, content: bytes | None = RECORDING, kind: type[Any] = Transcription, most_bytes: int = 1024
) -> Any:
    return asyncio.run(read_form(cast("Body", Sent(list(fields), content, most_bytes)), kind))


def refusal(*fields: Field, **options: Any) -> ApiError:
    try:
        read(*fields, **options)
    except ApiError as error:
        return error
    except RequestValidationError as error:
        return invalid_request(error)
    raise AssertionError("it was taken")


def test_a_file_alone_has_the_documented_defaults() -> None:
    form = read()
    assert (form.file, form.filename, form.model, form.response_format) == (RECORDING, "a.wav", None, "json")
    assert (form.temperature, form.stream, form.timestamp_granularities, form.chunking_strategy) == (
        0,
        False,
        None,
        None,
    )


@pytest.mark.parametrize("spelling", ["timestamp_granularities", "timestamp_granularities[]"])
def test_lists_are_repeated_with_brackets_or_without(spelling: str) -> None:
    assert read((spelling, "word"), (spelling, "segment")).timestamp_granularities == ["word", "segment"]


def test_lists_may_be_numbered() -> None:
    assert read(("include[0]", "logprobs"), ("keywords[0]", "sea"), ("keywords[1]", "sky")).keywords == ["sea", "sky"]


@pytest.mark.parametrize(
    "fields",
    [
        [("chunking_strategy", '{"type": "server_vad", "threshold": 0.25, "silence_duration_ms": 500}')],
        [
            ("chunking_strategy[type]", "server_vad"),
            ("chunking_strategy[threshold]", "0.25"),
            ("chunking_strategy[silence_duration_ms]", "500"),
        ],
        [
            ("chunking_strategy.type", "server_vad"),
            ("chunking_strategy.threshold", "0.25"),
            ("chunking_strategy.silence_duration_ms", "500"),
        ],
    ],
)
def test_an_object_is_json_or_has_a_field_for_each_of_its_own(fields: list[Field]) -> None:
    config = read(*fields).chunking_strategy
    assert isinstance(config, VadConfig)
    assert (config.threshold, config.silence_duration_ms, config.prefix_padding_ms) == (0.25, 500, 300)


@pytest.mark.parametrize("written", ["auto", '"auto"'])
def test_a_strategy_may_be_a_word(written: str) -> None:
    assert read(("chunking_strategy", written)).chunking_strategy == "auto"


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("True", True), ("1", True), ("false", False), ("0", False)]
)
def test_truths_are_read_as_every_language_writes_them(text: str, *, value: bool) -> None:
    assert read(("stream", text)).stream is value


def test_fields_that_were_left_empty_were_not_given() -> None:
    form = read(("language", ""), ("prompt", ""), ("temperature", ""), ("response_format", ""))
    assert (form.language, form.prompt, form.temperature, form.response_format) == (None, None, 0, "json")


def test_the_form_may_name_the_recording() -> None:
    assert read(("filename", "speech.mp3")).filename == "speech.mp3"


def test_fields_that_nobody_knows_are_passed_over() -> None:
    form = read(("user", "me"), ("model[x", "odd"), ("", "nameless"), ("stream", "true"), kind=Translation)
    assert form.model_extra == {}


@pytest.mark.parametrize(
    ("name", "value", "param", "code"),
    [
        ("temperature", "warm", "temperature", "invalid_type"),
        ("temperature", "nan", "temperature", "decimal_above_max_value"),
        ("temperature", "1.01", "temperature", "decimal_above_max_value"),
        ("temperature", "-1", "temperature", "decimal_below_min_value"),
        ("stream", "perhaps", "stream", "invalid_type"),
        ("response_format", "yaml", "response_format", "invalid_value"),
        ("include[]", "thoughts", "include[0]", "invalid_value"),
        ("timestamp_granularities[]", "letter", "timestamp_granularities[0]", "invalid_value"),
        ("chunking_strategy", "never", "chunking_strategy", "invalid_value"),
        ("chunking_strategy", "[]", "chunking_strategy", "invalid_type"),
        ("chunking_strategy", "{}", "chunking_strategy.type", "missing_required_parameter"),
        ("chunking_strategy[type]", "client_vad", "chunking_strategy.type", "invalid_value"),
        ("chunking_strategy", '{"type": "server_vad", "threshold": 2}', "chunking_strategy.threshold", None),
        ("chunking_strategy", '{"type": "server_vad", "prefix_padding_ms": -1}', None, "integer_below_min_value"),
        ("chunking_strategy", '{"type": "server_vad", "silence_duration_ms": 1.5}', None, "invalid_type"),
    ],
)
def test_a_wrong_value_is_refused_by_its_field(name: str, value: str, param: str | None, code: str | None) -> None:
    error = refusal((name, value))
    assert error.status == 400
    assert error.param == (param or error.param)
    assert error.code == (code or error.code)
    assert error.param
    assert error.param.startswith(name.partition("[")[0])


def test_a_form_without_a_file_is_told_so() -> None:
    error = refusal(content=None)
    assert (error.param, error.code) == ("file", "missing_required_parameter")


def test_an_empty_file_has_no_format() -> None:
    error = refusal(content=b"")
    assert isinstance(error, InvalidRequest)
    assert error.message.startswith("Invalid file format")
    assert error.param == "file"


def test_two_files_are_refused() -> None:
    error = refusal(("file", "another"))
    assert isinstance(error, InvalidRequest)
    assert error.param == "file"


def test_a_recording_may_have_as_many_bytes_as_the_setting_says() -> None:
    assert len(read(content=b"x" * 2000, most_bytes=2000).file) == 2000
    error = refusal(content=b"x" * 2001, most_bytes=2000)
    assert isinstance(error, RecordingTooLarge)
    assert error.message == "413: Maximum content size limit (2000) exceeded (2001 bytes read)"


def test_known_speakers_are_lists() -> None:
    names = [("known_speaker_names[]", name) for name in ("Ada", "Bo", "Cy", "Di", "Ed")]
    assert read(*names[:4]).known_speaker_names == ["Ada", "Bo", "Cy", "Di"]
    assert refusal(*names).param == "known_speaker_names"


def test_the_reference_of_a_speaker_may_be_as_long_as_ten_seconds_of_sound():
    wav = "data:audio/wav;base64," + "A" * (10 * 16_000 * 2 * 4 // 3)
    spoken = ("known_speaker_references[]", wav)
    assert read(spoken, spoken).known_speaker_references == [wav, wav]
    assert refusal(*[spoken] * 5).param == "known_speaker_references"
    assert "more than" in refusal(("known_speaker_references[]", "A" * (4 * 2**20 + 1))).message
