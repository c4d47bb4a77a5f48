"""A transcript is written as it was asked for, with the usage that each service gives."""

import json
from typing import Any

import pytest

from smalt.api.audio.asking import Asked
from smalt.api.audio.transcript import Transcript
from smalt.api.audio.transcript_answers import answer
from smalt.core.errors import UnsupportedValue
from smalt.engines.audio import Recording, SpokenWord, TranscriptEnd, TranscriptSegment
from smalt.http.call import Call, Mount

WORDS = (
    SpokenWord(" “Call", 0.1, 0.4),
    SpokenWord(" me", 0.4, 0.6),
    SpokenWord(" O'Neil.”", 0.6, 1.0),
    SpokenWord(" —", 1, 1),
)
SEGMENT = TranscriptSegment(" “Call me O'Neil.” —", 0.1, 1.0, 0, (5, 6), 0.2, -0.3, 1.1, 0.01, WORDS)


def written(format_: str, *, mount: Mount = "openai_v1", model: str = "ears", **recording: Any) -> Any:
    transcript = Transcript("ears")
    for event in (SEGMENT, TranscriptEnd("german", 2.2, 110, 3, 7)):
        transcript.add(event)
    asked = Asked(model, Recording(b"", "a.wav", **recording), format_)
    made = answer(asked, transcript, Call(mount, "POST", "/", "req_1"))
    body = bytes(made.body)
    return json.loads(body) if made.media_type == "application/json" else body.decode()


def test_json_has_tokens_on_openai_s_mount_and_nothing_more_on_azure_s() -> None:
    usage = {
        "type": "tokens",
        "total_tokens": 120,
        "input_tokens": 113,
        "input_token_details": {"text_tokens": 3, "audio_tokens": 110},
        "output_tokens": 7,
    }
    assert written("json") == {"text": "“Call me O'Neil.” —", "usage": usage}
    assert (
        written("json", mount="azure_v1") == written("json", mount="azure_classic") == {"text": "“Call me O'Neil.” —"}
    )


def test_whisper_by_its_own_name_counts_begun_seconds() -> None:
    assert written("json", model="whisper-1")["usage"] == {"type": "duration", "seconds": 3}


def test_verbose_json_has_every_field() -> None:
    assert written("verbose_json") == {
        "task": "transcribe",
        "language": "german",
        "duration": 2.2,
        "text": "“Call me O'Neil.” —",
        "segments": [
            {
                "id": 0,
                "seek": 0,
                "start": 0.1,
                "end": 1.0,
                "text": " “Call me O'Neil.” —",
                "tokens": [5, 6],
                "temperature": 0.2,
                "avg_logprob": -0.3,
                "compression_ratio": 1.1,
                "no_speech_prob": 0.01,
            }
        ],
        "usage": {"type": "duration", "seconds": 3},
    }


def test_words_stand_without_the_marks_around_them() -> None:
    told = written("verbose_json", with_words=True)["words"]
    assert [word["word"] for word in told] == ["Call", "me", "O'Neil", "—"]
    assert told[0] == {"word": "Call", "start": 0.1, "end": 0.4}


def test_a_translation_is_english_and_has_no_usage() -> None:
    told = written("verbose_json", task="translate")
    assert (told["task"], told["language"]) == ("translate", "english")
    assert "usage" not in told
    assert written("json", task="translate") == {"text": "“Call me O'Neil.” —"}


def test_text_ends_with_a_line_end() -> None:
    assert written("text") == "“Call me O'Neil.” —\n"


def test_speakers_that_the_engine_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(UnsupportedValue, match="deployment of the engine upstream") as caught:
        written("diarized_json", with_speakers=True)
    assert caught.value.param == "response_format"
