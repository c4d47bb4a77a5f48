"""From which score on something counts as found; chosen on data that the models were not trained on."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from smalt.engines.protocols import Scores

HALF: Final = 0.5
"""For a category without a threshold of its own."""


@cache
def thresholds() -> Mapping[str, Mapping[str, float]]:
    """The thresholds of every category and harm, by their names."""
    return json.loads(files("smalt.safety").joinpath("thresholds.json").read_bytes())


def is_detected(name: str, scores: Scores) -> bool:
    """Whether jailbreak, indirect_attack or profanity is found."""
    return scores.get(name, 0.0) >= thresholds().get(name, {}).get("detect", HALF)
