"""Texts as they are said."""

import pytest

from smalt.engines.speech_worker.wording import in_english_words, plain


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Bold**, *thin*, __both__ and ~~gone~~", "Bold, thin, both and gone"),
        ("# A title\n\n- one\n* two\n> three", "A title\n\none\ntwo\nthree"),
        ('Use `smalt serve`, see [the docs](https://example.com/docs "here").', "Use smalt serve, see the docs."),
        ("```python\nprint(1)\n```", "\nprint(1)\n"),
        ("snake_case_name and 2*3*4 stay", "snake_case_name and 2*3*4 stay"),
        ("5 \u00b0C, \u00a9 2024, \u20ac5", "5 \u00b0C, \u00a9 2024, \u20ac5"),
        ("Well done \U0001f389\U0001f469\u200d\U0001f469\u200d\U0001f467\u2764\ufe0f!", "Well done !"),
        ("zero\u200bwidth\x00and\u00a0hard\tspaces", "zerowidth and hard spaces"),
    ],
)
def test_markup_and_pictures_are_not_said(written: str, said: str):
    assert plain(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$5.20", "5 dollars and 20 cents"),
        ("$1", "1 dollar"),
        ("$1,200.50", "1,200 dollars and 50 cents"),
        ("\u20ac3.5 million", "3.5 million euros"),
        ("\u00a310.05", "10 pounds and 5 pence"),
        ("in 1984, 1906, 1900, 2005 and 2024.", "in 19 84, 19 oh 6, 19 hundred, 2005 and 20 24."),
        ("the 1990s", "the 19 nineties"),
        ("1,984 and 1984.5 and 12345", "1,984 and 1984.5 and 12345"),
        ("1914-1918", "19 14 to 19 18"),
        ("at 3:45pm or 12:00 or 9:05", "at 3 45pm or 12 o'clock or 9 oh 5"),
        ("https://www.example.com/a_b.", "www dot example dot com slash a underscore b."),
        ("Write to me@example.org!", "Write to me at example dot org!"),
        ("example.com", "example dot com"),
        ("5 km at 10 km/h", "5 kilometers at 10 kilometers per hour"),
        ("e.g. this, i.e. that", "for example this, that is that"),
        ("Well-known words: no. 5", "Well-known words: no. 5"),
    ],
)
def test_english_signs_are_put_into_words(written: str, said: str):
    assert in_english_words(written) == said


@pytest.mark.parametrize("marks", ["*a ", "`", "[", "[a](", "\n", "_", "~~"])
def test_a_long_text_of_marks_alone_is_soon_read(marks: str):
    assert len(plain(marks * 20_000)) <= len(marks) * 20_000
