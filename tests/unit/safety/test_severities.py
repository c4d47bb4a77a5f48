"""Azure's harms out of OpenAI's categories."""

import pytest

from smalt.safety.severities import HARMS, harm_scores, severities
from smalt.safety.thresholds import thresholds

SEVERITIES = ("low", "medium", "high")


def test_nothing_scored_is_safe():
    assert severities({}) == {"hate": "safe", "self_harm": "safe", "sexual": "safe", "violence": "safe"}


@pytest.mark.parametrize("harm", sorted(HARMS))
def test_the_thresholds_rise_with_severity(harm):
    low, medium, high = (thresholds()[harm][severity] for severity in SEVERITIES)
    assert 0 < low < medium < high < 1


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(
    ("harm", "category"),
    [("hate", "hate"), ("sexual", "sexual"), ("violence", "violence/graphic"), ("self_harm", "self-harm/intent")],
)
def test_a_score_at_the_threshold_has_its_severity(harm, category, severity):
    assert severities({category: thresholds()[harm][severity]})[harm] == severity


@pytest.mark.parametrize("harm", sorted(HARMS))
def test_just_below_low_is_safe(harm):
    score = thresholds()[harm]["low"] - 1e-6
    assert severities(dict.fromkeys(HARMS[harm], score))[harm] == "safe"


def test_a_harm_is_as_grave_as_its_gravest_category():
    scores = harm_scores({"self-harm": 0.1, "self-harm/intent": 0.7, "self-harm/instructions": 0.3})
    assert scores["self_harm"] == 0.7


def test_harassment_counts_for_less_than_hate():
    scores = harm_scores({"harassment": 0.5})
    assert 0 < scores["hate"] < 0.5
    assert scores["violence"] == 0


def test_threats_are_violence_as_well():
    scores = harm_scores({"harassment/threatening": 1.0})
    assert scores["hate"] > 0
    assert scores["violence"] > 0


def test_what_is_sexual_about_minors_is_graver():
    low = thresholds()["sexual"]["low"]
    assert severities({"sexual": low, "sexual/minors": low})["sexual"] == "high"
    assert severities({"sexual": low, "sexual/minors": low / 100})["sexual"] == "low"


def test_every_category_has_a_threshold_for_its_flag():
    names = {name for weights in HARMS.values() for name in weights} | {"illicit", "harassment"}
    assert all(0 < thresholds()[name]["flag"] < 1 for name in names)
