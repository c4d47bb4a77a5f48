"""A text's windows: cut at sentences, overlapping a little; and the n-grams of each."""

import numpy as np
import pytest

from smalt.engines.moderation_worker import features
from smalt.engines.moderation_worker.features import OVERLAP_TOKENS, WINDOW_TOKENS, grouped, n_grams, pooled


def sentence(first: int, tokens: int) -> list[int]:
    return list(range(first, first + tokens))


def joined(sentences: list[list[int]]) -> list[list[int]]:
    """The token ids of every window."""
    return [[token for one in window for token in one] for window in grouped(sentences)]


def test_short_sentences_share_a_window():
    assert joined([sentence(0, 30), sentence(30, 30)]) == [sentence(0, 60)]


def test_no_sentences_make_no_window():
    assert joined([]) == []


def test_a_window_begins_with_the_end_of_the_one_before():
    assert joined([sentence(0, 80), sentence(80, 10), sentence(90, 60)]) == [sentence(0, 90), sentence(80, 70)]


def test_a_long_sentence_is_not_repeated():
    assert joined([sentence(0, WINDOW_TOKENS), sentence(100, 20)]) == [sentence(0, 100), sentence(100, 20)]


@pytest.mark.parametrize("size", [1, 7, OVERLAP_TOKENS, 40, WINDOW_TOKENS])
def test_every_token_is_in_a_window_and_none_is_too_long(size):
    windows = joined([sentence(first, size) for first in range(0, size * 40, size)])
    assert {token for window in windows for token in window} == set(range(size * 40))
    assert max(map(len, windows)) <= WINDOW_TOKENS


def test_layers_are_pooled_from_the_last_to_the_first():
    inner = np.array([[0, 2], [0, 4]], np.float32)
    last = np.array([[6, 8], [0, 0]], np.float32)
    assert pooled([inner, last]).tolist() == pytest.approx([0.6, 0.8, 0.6, 0.8, 0, 1, 0, 1])


def test_rows_of_zeros_stay_zeros():
    assert not pooled([np.zeros((2, 3), np.float32)]).any()


def test_n_grams_are_of_unit_length_and_know_the_order():
    row = n_grams([1, 2, 3])
    assert float(np.linalg.norm(row)) == pytest.approx(1)
    assert len(row) == features.N_GRAM_SLOTS
    assert not np.array_equal(row, n_grams([3, 2, 1]))


def test_no_tokens_have_no_n_grams():
    assert not n_grams([]).any()
