"""Long texts are cut in overlapping pieces, and worked at in shares."""

from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from smalt.engines.moderation_worker.pieces import OVERLAP_CHARACTERS, PIECE_CHARACTERS, pieces, shares

SENTENCE = "This sentence has some words in it, and it ends here. "


def test_a_short_text_is_one_piece():
    assert list(pieces(SENTENCE)) == [SENTENCE]
    assert list(pieces("")) == [""]


def test_a_long_text_is_cut_behind_sentences():
    cut = list(pieces(SENTENCE * 100))
    assert len(cut) > 1
    assert all(piece.endswith("here. ") for piece in cut)
    assert all(piece.startswith("This") for piece in cut)


def test_without_sentences_words_stay_whole_and_without_words_anything_is_cut():
    words = list(pieces("word " * 1000))
    assert all(piece.startswith("word") for piece in words)
    assert all(len(piece) <= PIECE_CHARACTERS for piece in pieces("x" * 10_000))


@given(st.lists(st.sampled_from(["", " ", ". ", "\n"]), min_size=1, max_size=40), st.integers(1, 1500))
def test_pieces_together_are_the_text(borders: list[str], count: int):
    text = "".join(f"{number:05}{border}" for number, border in zip(range(count), cycle(borders), strict=False))
    place = 0
    for piece in pieces(text):
        assert len(piece) <= PIECE_CHARACTERS
        start = text.index(piece)
        assert max(0, place - OVERLAP_CHARACTERS) <= start <= place
        place = start + len(piece)
    assert place == len(text)


def test_shares_hold_every_piece_in_order_and_are_about_as_long_as_a_piece():
    texts = ["short", SENTENCE * 100, "", *["another"] * 1000]
    found = list(shares(texts))
    expected = [(place, piece) for place, text in enumerate(texts) for piece in pieces(text)]
    assert [one for share in found for one in share] == expected
    assert all(sum(len(piece) for _, piece in share) <= PIECE_CHARACTERS for share in found)
    assert len(found) < 20
