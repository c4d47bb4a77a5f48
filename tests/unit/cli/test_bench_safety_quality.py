"""The quality of scores is counted over what is known of each text, and prompts are blocked as the filter would."""

import pytest

from smalt.api.moderating import CATEGORIES, flag_threshold
from smalt.cli.bench.safety_measures import Sample
from smalt.cli.bench.safety_quality import is_blocked, is_flagged, qualities

SAMPLES = [
    Sample("a", {"hate": 1, "violence": 1}),
    Sample("b", {"hate": 0, "violence": 1}),
    Sample("c", {"hate": 1}),
    Sample("d", {"hate": 0}),
]


def test_a_category_is_measured_over_the_texts_that_it_is_known_of() -> None:
    scores = [{"hate": 0.9}, {"hate": 0.2}, {"hate": 0.1}, {}]
    found = dict(qualities(SAMPLES, scores))
    assert list(found) == ["hate"], "of violence no text is known to be free"
    assert (found["hate"].positives, found["hate"].texts, found["hate"].auroc) == (2, 4, 0.75)


def test_scores_that_part_all_texts_have_the_whole_area() -> None:
    (quality,) = dict(qualities(SAMPLES, [{"hate": 1.0}, {}, {"hate": 1.0}, {}])).values()
    assert (quality.auroc, quality.auprc, quality.f1) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("scores", "blocked"),
    [({}, False), ({"violence": 1.0}, True), ({"jailbreak": 1.0}, True), ({"illicit": 1.0, "profanity": 1.0}, False)],
)
def test_the_default_policy_blocks_harms_and_attacks(scores: dict[str, float], blocked: bool) -> None:
    assert is_blocked(scores) is blocked


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_text_is_flagged_from_the_threshold_on(category: str) -> None:
    assert is_flagged({category: flag_threshold(category)})
    assert not is_flagged({category: flag_threshold(category) - 0.001})
