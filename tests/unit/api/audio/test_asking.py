"""What a form asks for: fields that go together, and who listens."""

from typing import Any

import pytest

from smalt.api.audio.asking import asked_transcription, asked_translation
from smalt.api.audio.languages import ISO_639_1
from smalt.core.errors import InvalidRequest
from smalt.core.settings import AudioSettings
from smalt.engines.audio import KnownSpeaker, VoiceActivity
from smalt.http.call import Call, Mount
from smalt.schemas.audio import AzureCreateTranscriptionRequestMultiPart, AzureCreateTranslationRequestMultiPart

SETTINGS = AudioSettings(hours=3, transcription_model="ears")


def call(mount: Mount = "openai_v1", deployment: str | None = None) -> Call:
    return Call(mount, "POST", "/audio/transcriptions", "req_1", deployment=deployment)


def asked(where: Call | None = None, **fields: Any) -> Any:
    form = AzureCreateTranscriptionRequestMultiPart.model_validate({"file": b"x", "model": "whisper-1", **fields})
    return asked_transcription(form, where or call(), SETTINGS)


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        asked(**fields)
    return caught.value


def test_every_field_reaches_the_engine() -> None:
    given = asked(
        filename="a.mp3",
        prompt="Ishmael.",
        temperature=0.5,
        language="de",
        response_format="verbose_json",
        timestamp_granularities=["word"],
        chunking_strategy={"type": "server_vad", "threshold": 0.25, "prefix_padding_ms": 1, "silence_duration_ms": 2},
    )
    heard = given.recording
    assert (given.model, given.format, given.with_segments, given.stream) == ("whisper-1", "verbose_json", False, False)
    assert (heard.content, heard.filename, heard.task, heard.language) == (b"x", "a.mp3", "transcribe", "de")
    assert (heard.prompt, heard.temperature, heard.with_words, heard.max_hours) == ("Ishmael.", 0.5, True, 3)
    assert heard.voice_activity == VoiceActivity(0.25, 1, 2)


def test_segments_are_what_verbose_json_has_unless_words_alone_are_asked_for() -> None:
    assert asked(response_format="verbose_json").with_segments
    both = asked(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert both.with_segments
    assert both.recording.with_words


def test_logprobs_and_speakers_are_asked_for_by_include_and_by_format() -> None:
    assert asked(include=["logprobs"], stream=True).recording.with_logprobs
    assert asked(response_format="diarized_json").recording.with_speakers


def test_known_speakers_go_with_their_references_where_speakers_are_told_apart() -> None:
    known = {"known_speaker_names": ["Ada"], "known_speaker_references": ["data:audio/wav;base64,UklG"]}
    assert asked(response_format="diarized_json", **known).recording.known_speakers == (
        KnownSpeaker("Ada", "data:audio/wav;base64,UklG"),
    )
    assert refused(known_speaker_names=["Ada"]).param == "known_speaker_names"
    alone = refused(response_format="diarized_json", known_speaker_names=["Ada"])
    assert alone.param == "known_speaker_references"


@pytest.mark.parametrize(
    ("form", "times"), [("json", False), ("text", False), ("srt", True), ("vtt", True), ("verbose_json", True)]
)
def test_times_are_asked_for_where_they_are_shown(form: str, times: bool) -> None:
    assert asked(response_format=form).recording.with_times == times
    translation = {"file": b"x", "model": "whisper-1", "response_format": form}
    read = AzureCreateTranslationRequestMultiPart.model_validate(translation)
    assert asked_translation(read, call(), SETTINGS).recording.with_times == times


def test_an_engine_knows_that_a_stream_is_wanted() -> None:
    assert asked(stream=True).recording.stream


def test_an_automatic_strategy_is_voice_activity_with_the_documented_values() -> None:
    assert asked(chunking_strategy="auto").recording.voice_activity == VoiceActivity(0.5, 300, 200)
    assert asked().recording.voice_activity is None


def test_keywords_stand_behind_the_prompt() -> None:
    assert asked(prompt="On whales.", keywords=["Ahab", "Pequod"]).recording.prompt == "On whales. Ahab, Pequod"
    assert asked(keywords=["Ahab"]).recording.prompt == "Ahab"
    assert asked().recording.prompt is None


def test_one_possible_language_is_the_language() -> None:
    assert asked(languages=["fr"]).recording.language == "fr"
    assert refused(languages=["fr", "de"]).param == "languages"
    assert refused(languages=["fr"], language="fr").param == "languages"


def test_a_language_is_a_code_of_the_standard() -> None:
    assert len(ISO_639_1) == 183
    for wrong in ("english", "EN", "xx", "yue", "en-US"):
        error = refused(language=wrong)
        assert (error.param, error.code) == ("language", "invalid_language_format")
        advice = "Language parameter must be specified in ISO-639-1 format."
        assert error.message == f"Invalid language '{wrong}'. {advice}"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"timestamp_granularities": ["segment"]}, "timestamp_granularities"),
        ({"timestamp_granularities": ["word"], "response_format": "srt"}, "timestamp_granularities"),
        ({"include": ["logprobs"], "response_format": "verbose_json"}, "include"),
        ({"include": ["logprobs"], "response_format": "text"}, "include"),
        ({"stream": True, "response_format": "srt"}, "stream"),
        ({"stream": True, "response_format": "vtt"}, "stream"),
        ({"stream": True, "response_format": "verbose_json"}, "stream"),
    ],
)
def test_fields_that_do_not_go_together_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert (error.param, error.code) == (param, "unsupported_parameter")


def test_who_listens_is_in_the_path_or_the_form_or_on_azure_in_the_settings() -> None:
    assert asked(call("azure_classic", "deployed"), model="other").model == "deployed"
    assert asked(call("azure_v1"), model=None).model == "ears"
    error = refused(model=None)
    assert (error.param, error.code) == ("model", "missing_required_parameter")


def test_a_translation_is_one() -> None:
    fields = {"file": b"x", "model": "whisper-1", "prompt": "Hm.", "response_format": "srt"}
    form = AzureCreateTranslationRequestMultiPart.model_validate(fields)
    given = asked_translation(form, call(), SETTINGS)
    assert (given.recording.task, given.recording.prompt, given.format) == ("translate", "Hm.", "srt")
    assert not given.stream
