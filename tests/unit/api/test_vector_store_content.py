"""A file's text comes out of its overlapping chunks as it went in."""

from hypothesis import given
from hypothesis import strategies as st

from smalt.api.vector_stores.content import SHORTEST_OVERLAP, content_json, overlap, without_overlaps
from smalt.store.vector_store_files import ChunkedText

WORDS = [
    "ground",
    "from",
    "cobalt",
    "glass",
    "when",
    "they",
    "could",
    "not",
    "buy",
    "azurite",
    "painters",
    "used",
    "it",
]


def test_an_overlap_is_the_longest_end_that_the_next_begins_with():
    assert overlap("ground from cobalt glass", "cobalt glass is blue") == len("cobalt glass")
    assert overlap("abcabcabcabc", "abcabcabcx") == len("abcabcabc")
    assert overlap("ground cobalt", "glass is blue") == 0
    assert overlap("", "glass") == overlap("glass", "") == 0


def test_a_chance_likeness_of_a_few_letters_is_no_overlap():
    assert overlap("it is blue", "blueish glass") == 0


def test_chunks_that_do_not_overlap_stay_whole():
    page = content_json(ChunkedText(["a line\n--------", "--------\nanother"], is_overlapping=False))
    assert [part["text"] for part in page["data"]] == ["a line\n--------", "--------\nanother"]


@given(order=st.permutations(WORDS), size=st.integers(4, 8))
def test_what_was_cut_with_an_overlap_is_put_together_again(order, size):
    step = size - 2
    text = " ".join(order)
    starts = range(0, max(1, len(order) - 2), step)
    pieces = [" ".join(order[start : start + size]) for start in starts]
    if all(len(" ".join(order[start : start + 2])) >= SHORTEST_OVERLAP for start in starts):
        assert "".join(without_overlaps(pieces)) == text
