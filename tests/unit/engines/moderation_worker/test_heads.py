"""Heads over rows of features, and what makes a text one about minors."""

import numpy as np
import pytest

from smalt.engines.moderation_worker.heads import FOLDER, Heads
from smalt.engines.moderation_worker.minors import means_minors


def heads(*names: str) -> Heads:
    return Heads(
        {
            "names": np.array(names),
            "weights": np.eye(3, len(names), dtype=np.float16),
            "scales": np.full(len(names), 2, np.float32),
            "bias": np.full(len(names), -1, np.float32),
        }
    )


def test_a_score_is_the_calibrated_logit_of_its_category():
    scores = heads("hate", "violence").scores(np.array([[0.5, 3, 9]], np.float32))
    assert scores[0] == pytest.approx([0.5, 1 / (1 + np.exp(-5))], rel=1e-5)


def test_a_text_has_the_highest_score_of_its_windows():
    rows = np.array([[3, 0, 0], [0, 3, 0]], np.float32)
    assert min(heads("hate", "violence").text_scores(rows, "").values()) > 0.99


def test_a_text_without_windows_has_zeros():
    assert heads("hate", "violence").text_scores(np.zeros((0, 3), np.float32), "") == {"hate": 0, "violence": 0}


def test_huge_logits_stay_probabilities():
    scores = heads("hate").scores(np.array([[1e6, 0, 0], [-1e6, 0, 0]], np.float32))
    assert np.isfinite(scores).all()


def test_what_is_sexual_counts_as_about_minors_only_where_one_is_meant():
    rows = np.array([[3, 0, 0]], np.float32)
    one = heads("sexual")
    adults, minors = one.text_scores(rows, "two adults"), one.text_scores(rows, "a fourteen-year-old")
    assert one.names == ("sexual", "sexual/minors")
    assert minors["sexual/minors"] == minors["sexual"]
    assert adults["sexual/minors"] < 0.02


@pytest.mark.parametrize(
    "text",
    [
        "A story about children.",
        "the 14-year-old",
        "a girl aged 9",
        "She is 15.",
        "fifteen years old",
        "UNDERAGE",
        "my little sister",
        "a sixth grader",
    ],
)
def test_words_and_ages_tell_of_minors(text):
    assert means_minors(text)


@pytest.mark.parametrize(
    "text",
    [
        "two adults",
        "a 24-year-old",
        "She is 18.",
        "a man aged 50",
        "seventy years old",
        "canteen food",
        "I am 16 percent faster",
        "the skid marks",
    ],
)
def test_adults_are_not_taken_for_minors(text):
    assert not means_minors(text)


def test_the_heads_that_come_with_smalt_are_small_and_hold_no_pickles():
    paths = sorted(FOLDER.glob("*.npz"))
    assert "harms.npz" in {path.name for path in paths}
    assert sum(path.stat().st_size for path in paths) < 4_000_000
    assert all(Heads.load(path).names for path in paths)
