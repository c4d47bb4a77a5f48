"""What is heard of recordings in Spanish, French, Italian and Russian, and of English."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audio_serving import AudioServer, serving_audio, word_error_rate
from recordings import PROMPT_LANGUAGES, Clip, prompt, sentence

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

LANGUAGES = {"en": "english", **PROMPT_LANGUAGES}
MOST_ERRORS = {"en": 0.03, "es": 0.15, "fr": 0.2, "it": 0.1, "ru": 0.1}
"""Somewhat over what was measured; most errors are the names Asterisk and Digium."""


@pytest.fixture(scope="module")
def server(starter_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AudioServer]:
    with serving_audio(starter_data_dir, tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.fixture(scope="module", params=sorted(LANGUAGES))
def clip(request: pytest.FixtureRequest) -> Clip:
    return sentence("0870") if request.param == "en" else prompt(request.param, "demo-nogo")


def test_the_language_is_found_and_its_words_are_heard(server: AudioServer, clip: Clip) -> None:
    answer = told(server, clip)
    assert answer.language == LANGUAGES[clip.language]
    assert word_error_rate([clip], [answer.text]) <= MOST_ERRORS[clip.language]


def test_a_language_that_is_given_is_not_looked_for(server: AudioServer) -> None:
    # One temperature only: at 0, what is heard in the wrong language is tried again at every other.
    assert told(server, sentence("0880"), language="fr", temperature=0.2).language == "french"


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # what the package calls its translations
def test_italian_is_translated_into_english(server: AudioServer) -> None:
    clip = prompt("it", "demo-nogo")
    answer = server.sdk.audio.translations.create(
        model="whisper-1", file=(clip.filename, clip.content), response_format="verbose_json"
    )
    assert answer.language == "english"
    words = answer.text.lower()
    assert "server" in words
    assert "information" in words


def told(server: AudioServer, clip: Clip, **wanted: Any) -> Any:
    return server.sdk.audio.transcriptions.create(
        model="whisper-1", file=(clip.filename, clip.content), response_format="verbose_json", **wanted
    )
