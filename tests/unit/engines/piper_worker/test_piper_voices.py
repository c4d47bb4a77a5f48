"""The speakers of a Piper voice have names, numbers, and the names that a deployment gives them."""

import pytest

from smalt.core.errors import EngineFailed, UnsupportedValue
from smalt.engines.piper_worker.voices import Speakers

MANY = {"num_speakers": 3, "speaker_id_map": {"Anna": 0, "p226": 1}, "dataset": "vctk", "default_speaker_id": 1}
ONE = {"num_speakers": 1, "speaker_id_map": {}, "dataset": "joe"}


@pytest.mark.parametrize(
    ("name", "number"),
    [("Anna", 0), ("anna", 0), ("P226", 1), ("2", 2), ("default", 1), ("alloy", 1), ("echo", 2), ("verse", 0)],
)
def test_a_speaker_answers_to_names_and_numbers(name: str, number: int):
    speakers = Speakers(MANY, {"alloy": "p226", "echo": 2, "verse": "0"})
    assert speakers.number(name) == number


@pytest.mark.parametrize("name", ["vctk", "3", "-1", "1.0", "²", "nova", ""])
def test_a_name_that_nobody_has_is_refused_with_those_there_are(name: str):
    with pytest.raises(UnsupportedValue, match="alloy, default, anna, p226, 0 to 2") as refusal:
        Speakers(MANY, {"alloy": 2}).number(name)
    assert refusal.value.param == "voice"


@pytest.mark.parametrize("name", ["joe", "JOE", "default", "0"])
def test_the_only_speaker_answers_to_the_name_of_its_voice(name: str):
    assert Speakers(ONE, {}).number(name) == 0


@pytest.mark.parametrize("value", ["ann", "3", 3, -1])
def test_a_name_for_a_speaker_that_is_not_there_is_a_mistake_of_the_deployment(value: str | int):
    with pytest.raises(EngineFailed, match=r"alloy = .*default, anna, p226, and 0 to 2"):
        Speakers(MANY, {"alloy": value})
