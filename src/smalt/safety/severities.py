"""Azure's harms and severities from OpenAI's categories."""

from collections.abc import Mapping
from typing import Final, Literal

from smalt.engines.protocols import Scores
from smalt.safety.thresholds import thresholds

Harm = Literal["hate", "sexual", "violence", "self_harm"]
Severity = Literal["safe", "low", "medium", "high"]

HARMS: Final[Mapping[Harm, Mapping[str, float]]] = {
    "hate": {"hate": 1.0, "hate/threatening": 1.0, "harassment/threatening": 0.8, "harassment": 0.8},
    "self_harm": {"self-harm": 1.0, "self-harm/intent": 1.0, "self-harm/instructions": 1.0},
    "sexual": {"sexual": 1.0, "sexual/minors": 1.0},
    "violence": {
        "violence": 1.0,
        "violence/graphic": 1.0,
        "illicit/violent": 0.8,
        "hate/threatening": 0.9,
        "harassment/threatening": 0.9,
    },
}
"""The categories that each harm is made of, and for how much of their score they count."""

MINORS_SHARE: Final = 0.5
"""From this share of its score on, what is sexual is about minors, and graver by a step."""

_GRAVER: Final[Mapping[Severity, Severity]] = {"safe": "safe", "low": "high", "medium": "high", "high": "high"}


def severities(scores: Scores) -> dict[Harm, Severity]:
    """How grave each harm is; a category that nobody scored counts as 0."""
    found: dict[Harm, Severity] = {harm: _severity(harm, score) for harm, score in harm_scores(scores).items()}
    if scores.get("sexual/minors", 0.0) > MINORS_SHARE * scores.get("sexual", 0.0):
        found["sexual"] = _GRAVER[found["sexual"]]
    return found


def harm_scores(scores: Scores) -> dict[Harm, float]:
    """The score of each harm: the highest of its categories', by their weights."""
    return {
        harm: max(scores.get(name, 0.0) * weight for name, weight in weights.items()) for harm, weights in HARMS.items()
    }


def _severity(harm: Harm, score: float) -> Severity:
    known = thresholds()[harm]
    if score >= known["high"]:
        return "high"
    if score >= known["medium"]:
        return "medium"
    return "low" if score >= known["low"] else "safe"
