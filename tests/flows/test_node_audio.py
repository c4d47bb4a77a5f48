"""Sound for a JavaScript developer: the `openai` package from npm, unmodified, against the starter models."""

from typing import Any

import pytest

from audio_serving import words_of
from node_stories import node_facts

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

WORDS = "the museum opens at 9"


@pytest.fixture(scope="module")
def facts(starter_server: Any) -> dict[str, Any]:
    return node_facts("audio.mjs", starter_server.url, starter_server.key)


def test_speech_is_a_file_of_sound(facts: dict[str, Any]) -> None:
    assert facts["spoken"]["type"] == "audio/mpeg"
    assert facts["spoken"]["bytes"] > 5_000


@pytest.mark.parametrize("who", ["heard", "azureHeard"])
def test_what_was_spoken_is_heard_again(facts: dict[str, Any], who: str) -> None:
    assert words_of(facts[who]["text"]) == WORDS


def test_words_and_segments_are_told(facts: dict[str, Any]) -> None:
    told = facts["verbose"]
    assert told["language"] == "english"
    assert told["duration"] > 1
    assert told["segments"] >= 1
    assert words_of(" ".join(told["words"])) == WORDS


def test_a_stream_spells_out_the_text(facts: dict[str, Any]) -> None:
    assert facts["stream"]["done"]["type"] == "transcript.text.done"
    assert facts["stream"]["said"] == facts["stream"]["done"]["text"] == facts["heard"]["text"]


@pytest.mark.parametrize(("who", "param"), [("noSound", "file"), ("noVoice", "voice")])
def test_what_cannot_be_done_is_the_packages_bad_request_error(facts: dict[str, Any], who: str, param: str) -> None:
    assert facts[who]["isBadRequest"], facts[who]
    assert facts[who]["param"] == param
