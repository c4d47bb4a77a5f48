"""Texts cut into what is spoken at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smalt.engines.speech_worker.sentences import MOST_CHARACTERS, PARAGRAPH_PAUSE, SENTENCE_PAUSE, cut


def texts(text: str) -> list[str]:
    return [piece.text for piece in cut(text)]


def test_sentences_are_spoken_one_after_the_other():
    text = "The first sentence has some words in it, forty or more. Does the second one have as many as the first? Yes!"
    assert texts(text) == [
        "The first sentence has some words in it, forty or more.",
        "Does the second one have as many as the first? Yes!",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "She met Dr. Miller and Mrs. J. R. Smith in St. Albans, as everybody in that little town had thought.",
        "The price was 3.14 dollars, or 1,234.56 in all, which is a good deal less than the U.S. average.",
        "Read https://example.com/a.b?c=d.e or ask. nobody minds a small letter after what looks like an end.",
        "He lives at No. 5 with his dogs etc. and the cats, i.e. with more animals than there are rooms.",
    ],
)
def test_a_full_stop_that_ends_nothing_does_not_cut(text: str):
    # The first clause is taken off so that something is heard soon; no cut is at a full stop.
    assert not any(piece.endswith(".") for piece in texts(text)[:-1])
    assert " ".join(texts(text)) == text


def test_the_first_piece_of_a_long_sentence_is_its_first_clause():
    text = "When the sun had gone down behind the hills, the old man took his lamp, lit it, and went out."
    assert texts(text) == [
        "When the sun had gone down behind the hills,",
        "the old man took his lamp, lit it, and went out.",
    ]


def test_paragraphs_and_lines_are_parted_and_wrapped_lines_joined():
    text = "A Title\n\nThis is a paragraph that somebody has wrapped by hand\n"
    text += "after fifty letters, so it goes on in the line below."
    text += "\nA list of\nThings\n"
    assert texts(text) == [
        "A Title",
        "This is a paragraph that somebody has wrapped by hand after fifty letters, so it goes on in the line below.",
        "A list of",
        "Things",
    ]
    pauses = [piece.pause for piece in cut(text)]
    assert pauses == [PARAGRAPH_PAUSE, SENTENCE_PAUSE, SENTENCE_PAUSE, PARAGRAPH_PAUSE]


def test_a_long_sentence_is_cut_at_its_clauses_in_nearly_equal_parts():
    clause = "and then they all went on along the road to the sea"
    pieces = texts(", ".join([clause] * 12) + ".")
    assert all(piece.endswith((",", ".")) for piece in pieces)
    assert all(len(clause) <= len(piece) <= MOST_CHARACTERS for piece in pieces)


def test_a_sentence_without_marks_or_spaces_is_cut_too():
    assert "".join(texts("a" * 4096)) == "a" * 4096
    assert max(map(len, texts("word " * 819))) <= MOST_CHARACTERS


def test_chinese_marks_end_sentences_without_a_space():
    text = "\u4eca\u5929" * 25 + "\u3002" + "\u660e\u5929" * 25 + "\uff1f"
    assert [piece[-1] for piece in texts(text)] == ["\u3002", "\uff1f"]


@pytest.mark.parametrize("text", ["", " ", "\n\n\n", "\t\r\n"])
def test_nothing_has_no_pieces(text: str):
    assert cut(text) == []


@given(st.text(alphabet=st.sampled_from("ab I.Dr.!?,;:-\u2014\n \u3002\"')1\u00e9"), max_size=600))
def test_every_letter_is_spoken_once_and_no_piece_is_long(text: str):
    pieces = texts(text)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece.strip() and len(piece) <= MOST_CHARACTERS for piece in pieces)
