"""How much of what was said before is looked at again."""

import pytest

from smalt.engines.protocols import ChatDelta
from smalt.safety.transcripts import CONTEXT, Transcript


def looked_at(before: str, stretch: str) -> str:
    """What is looked at when `stretch` follows."""
    transcript = Transcript()
    transcript.add([ChatDelta(content=before)])
    (text,) = transcript.add([ChatDelta(content=stretch)])
    return text


@pytest.mark.parametrize("before", ["start " + (CONTEXT - 3) * "x" + " ab", "word " * 200, "y" * CONTEXT + " and more"])
def test_at_least_the_promised_context_is_looked_at_again(before: str):
    text = looked_at(before, "cd")
    assert len(text) >= CONTEXT + 2
    assert (before + "cd").endswith(text)


def test_it_begins_where_a_word_begins():
    before = "begin " + "z" * 50 + " " + "wor " * 75
    assert looked_at(before, "cd") == before.removeprefix("begin " + "z" * 50 + " ") + "cd"
    assert looked_at("begin " + "z" * 50 + "wor " * 75, "cd").startswith("zzz")
    assert looked_at("begin soon", " cd") == "begin soon cd"


def test_a_text_without_spaces_is_not_looked_at_from_its_beginning():
    assert len(looked_at("字" * 5000, "字")) == CONTEXT + 1
