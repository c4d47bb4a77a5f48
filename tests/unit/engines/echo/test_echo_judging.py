"""An echo scores texts and pictures as the marks in them say."""

import pytest

from pictures import encoded, plain
from smalt.core.errors import EngineFailed, InvalidRequest
from smalt.engines.echo import EchoEngine
from smalt.engines.protocols import Deployment


def echo(**options: object) -> EchoEngine:
    return EchoEngine(Deployment("m", "echo", "m", frozenset(), options=options))


async def test_a_text_without_marks_scores_zero_in_every_category():
    (scores,) = await echo().moderate(["I will say this again."])
    assert len(scores) == 16
    assert not any(scores.values())


async def test_marks_say_the_scores_and_the_highest_counts():
    text = "[[moderate violence=0.9 self-harm/intent=.25]] and [[moderate violence=0.4 jailbreak=1]]"
    scores, _ = await echo().moderate([text, "nothing"])
    assert {name: score for name, score in scores.items() if score} == {
        "violence": 0.9,
        "self-harm/intent": 0.25,
        "jailbreak": 1.0,
    }


@pytest.mark.parametrize(
    ("mark", "said"), [("anger=0.5", "'anger'"), ("hate=1.5", "0 to 1"), ("hate=1.2.3", "0 to 1"), ("hate=.", "0 to 1")]
)
async def test_a_mark_that_cannot_be_honoured_is_told(mark: str, said: str):
    with pytest.raises(InvalidRequest, match=said):
        await echo().moderate([f"[[moderate {mark}]]"])


async def test_other_brackets_are_text():
    for text in ("[[moderate]]", "[[moderate this]]", "[[moderation hate=1]]"):
        (scores,) = await echo().moderate([text])
        assert not any(scores.values())


async def test_a_picture_may_have_the_mark_behind_its_end():
    marked = encoded(plain(), "PNG") + b"[[moderate sexual=0.75]]"
    shown, plain_one = await echo().moderate_images([marked, encoded(plain(), "JPEG")])
    assert shown["sexual"] == 0.75
    assert not any(plain_one.values())
    with pytest.raises(InvalidRequest, match="hate"):
        await echo().moderate_images([encoded(plain(), "PNG") + b"[[moderate hate=0.75]]"])


async def test_it_breaks_when_it_is_told_to():
    for asked in (echo(fail_after=0).moderate(["x"]), echo(fail_after=0).moderate_images([])):
        with pytest.raises(EngineFailed):
            await asked
