"""What of a text can be spoken already, while more of it comes."""

from collections.abc import Iterable

import pytest

from smalt.api.chat.script import LONGEST_WAIT, MOST, Script, speakable


def taken(pieces: Iterable[str]) -> list[str]:
    """What is taken after every piece, and at the end."""
    script, lines = Script(), []
    for piece in pieces:
        script.add(piece)
        lines.append(script.take())
    script.is_ended = True
    lines.append(script.take())
    assert script.is_done
    return [line for line in lines if line]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Hello there. How are", ["Hello there. ", "How are"]),
        ("It costs 3.50 euros, I think", ["It costs 3.50 euros, I think"]),
        ('"Go!" she said. Then', ['"Go!" ', "she said. ", "Then"]),
        ("First\n\nSecond", ["First\n", "\n", "Second"]),
        ("你好。今天怎么样?", ["你好。", "今天怎么样?"]),
        ("", []),
    ],
)
def test_sentences_are_spoken_as_soon_as_they_are_whole(text: str, lines: list[str]):
    assert taken(text) == lines


def test_several_sentences_that_came_together_are_spoken_together():
    assert taken(["One. Two. Thr", "ee."]) == ["One. Two. ", "Three."]


def test_a_sentence_without_end_is_cut_between_words():
    first, *_ = lines = taken("word " * 500)
    assert len(lines) > 1
    assert first.endswith("word ")
    assert "".join(lines) == "word " * 500


def test_nothing_is_lost_of_a_text_without_spaces():
    text = "a" * (2 * MOST + 5)
    assert "".join(taken([text[:LONGEST_WAIT], text[LONGEST_WAIT:]])) == text


def test_the_whole_is_taken_once_and_only_at_the_end():
    script = Script()
    script.add("One. Two.")
    assert script.take_all() == ""
    script.is_ended = True
    assert (script.take_all(), script.take_all(), script.is_done) == ("One. Two.", "", True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("**Bold** and *light*, `code`.", "Bold and light, code."),
        ("# Title\n- one\n- two", "Title\none\ntwo"),
        ("See [the page](https://example.com/a).", "See the page."),
        ("2 * 3 = 6, snake_case stays", "2 * 3 = 6, snake_case stays"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("… --- 🙂", ""),
        ("  \n", ""),
    ],
)
def test_the_marks_of_markdown_are_not_read_aloud(text: str, words: str):
    assert speakable(text) == words


@pytest.mark.parametrize("mark", ["[", "[a](", "!", "*"])
def test_a_long_text_of_marks_alone_is_soon_taken(mark: str):
    script = Script()
    script.add(mark * 20_000)
    script.is_ended = True
    assert not any(letter.isalnum() for letter in speakable(script.take_all()).replace("a", ""))
