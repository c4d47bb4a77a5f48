"""Chooses from which scores on something is flagged or grave, on folds that were left out of the fit."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import samples
import windows
from numpy.typing import NDArray

from smalt.cli.bench.safety_measures import f1
from smalt.engines.moderation_worker.heads import FOLDER, Heads
from smalt.safety.severities import HARMS

Scores = NDArray[np.float64]

PATH = Path(samples.__file__).parents[2] / "src" / "smalt" / "safety" / "thresholds.json"
STEPS = np.round(np.arange(0.02, 0.98, 0.01), 2)
MOST_FALSE_ALARMS = {"flag": 0.004, "low": 0.01, "medium": 0.004, "high": 0.001}
LEAST_PRECISION = {"medium": 0.5, "high": 0.8}
MARGIN = 0.01
"""Between the highest score of what must not be found, and a threshold."""


def choose(left_out: Scores, labels: Scores) -> None:
    """Write the thresholds of all categories and harms; the other keys of the file stay."""
    encoder = windows.features()
    heads = Heads.load(FOLDER / "harms.npz")
    identities = samples.identity_validation()
    texts = [*identities, *samples.benign_validation(), *samples.hard_negatives()]
    rows = windows.rows_of(texts, encoder)
    quiet = {name: np.array([heads.text_scores(one, "")[name] for one in rows]) for name in heads.names}
    places = {name: place for place, name in enumerate(samples.CATEGORIES)}
    # Not one of them may be found, so each counts as much as all other texts.
    quiet = {
        name: np.concatenate([scores, np.repeat(scores[: len(identities)].max(), len(texts))])
        for name, scores in quiet.items()
    }
    chosen: dict[str, dict[str, float]] = {}
    for name, place in places.items():
        known = ~np.isnan(labels[:, place])
        wanted = labels[known, place] > samples.HALF
        chosen[name] = {"flag": _best(wanted, left_out[known, place], quiet[name], "flag")}
    chosen["sexual/minors"] = {"flag": chosen["sexual"]["flag"]}
    for harm, weights in HARMS.items():
        chosen.setdefault(harm, {}).update(
            _severities(left_out, labels, quiet, {n: w for n, w in weights.items() if n in places})
        )
    kept = {name: one for name, one in json.loads(PATH.read_text("utf-8")).items() if "detect" in one}
    PATH.write_text(json.dumps(chosen | kept, indent=2) + "\n", "utf-8")


def _severities(
    scores: Scores, labels: Scores, quiet: Mapping[str, Scores], weights: Mapping[str, float]
) -> dict[str, float]:
    places = [samples.CATEGORIES.index(name) for name in weights]
    shares = np.array(list(weights.values()))
    together = (scores[:, places] * shares).max(1)
    full = [place for place, share in zip(places, shares, strict=True) if share == 1]
    known = ~np.isnan(labels[:, full]).all(1)
    wanted = np.nan_to_num(labels[known][:, full]).max(1) > samples.HALF
    silent = np.array([quiet[name] * weight for name, weight in weights.items()]).max(0)
    found: dict[str, float] = {}
    least = 0.0
    for severity in ("low", "medium", "high"):
        least = max(least, _best(wanted, together[known], silent, severity))
        found[severity] = round(least, 2)
        least += 0.05
    return found


def _best(wanted: Sequence[bool], scores: Scores, quiet: Scores, kind: str) -> float:
    """The best F1, or the lowest threshold that is precise enough; in both cases with few enough false alarms."""
    # The last step stays where nothing else is quiet enough.
    allowed = [step for step in STEPS if (quiet >= step - MARGIN).mean() <= MOST_FALSE_ALARMS[kind]] or [STEPS[-1]]
    marks = np.asarray(wanted)
    if kind in LEAST_PRECISION:
        precise = (
            one for one in allowed if (scores >= one).any() and marks[scores >= one].mean() >= LEAST_PRECISION[kind]
        )
        return float(next(precise, allowed[-1]))
    return float(max(allowed, key=lambda step: f1(marks, scores >= step)))
