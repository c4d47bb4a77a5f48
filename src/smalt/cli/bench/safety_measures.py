"""How well scores tell harmful texts from others: areas, F1 and shares of false alarms, by numpy alone.

Everything takes labels (1 harmful, 0 not) and scores (higher is graver) of the same texts in the same order; leave out
texts whose label is unknown. `held_out()` reads the samples of `data/moderation.jsonl.gz`: {"text", "labels"}, where
a category that is absent from `labels` is unknown; `benign()` reads `data/benign.jsonl.gz`: one text a line.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_DATA: Final = files("smalt.cli.bench").joinpath("data")


@dataclass(frozen=True)
class Sample:
    """A text with what people said of it."""

    text: str
    labels: Mapping[str, int]


@dataclass(frozen=True)
class Quality:
    """One category over a set of texts; F1 is at a given threshold."""

    positives: int
    texts: int
    auroc: float
    auprc: float
    f1: float


def held_out() -> list[Sample]:
    """Samples that no head learned from, nor any threshold."""
    return [Sample(row["text"], row["labels"]) for row in _rows("moderation.jsonl.gz")]


def benign() -> list[str]:
    """Benign prompts that no head learned from, nor any threshold."""
    return [row["text"] for row in _rows("benign.jsonl.gz")]


def quality(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Quality:
    """All measures of one category."""
    wanted = np.asarray(labels)
    return Quality(
        positives=int(wanted.sum()),
        texts=wanted.size,
        auroc=auroc(wanted, scores),
        auprc=auprc(wanted, scores),
        f1=f1(wanted, np.asarray(scores) >= threshold),
    )


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The chance that a harmful text scores higher than another one; ties count half."""
    wanted = np.asarray(labels) > 0
    _, places, counts = np.unique(np.asarray(scores), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    positives, negatives = int(wanted.sum()), int((~wanted).sum())
    return float((ranks[wanted].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auprc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The mean precision over the harmful texts, the highest scores first (average precision)."""
    wanted, marks = np.asarray(labels) > 0, np.asarray(scores)
    order = np.argsort(-marks, kind="stable")
    hits = np.cumsum(wanted[order])
    # Texts with the same score are found together: each counts as the last of them.
    last = np.searchsorted(-marks[order], -marks[order], side="right") - 1
    precision = hits[last] / (last + 1)
    return float(precision[wanted[order]].mean())


def f1(labels: ArrayLike, flagged: ArrayLike) -> float:
    """The harmonic mean of precision and recall; 0 when nothing is found."""
    wanted, told = np.asarray(labels) > 0, np.asarray(flagged, bool)
    found = int((wanted & told).sum())
    return 2 * found / int(wanted.sum() + told.sum()) if found else 0.0


def share(flagged: ArrayLike) -> float:
    """How many of the texts are flagged, 0 to 1."""
    told: NDArray[np.bool_] = np.asarray(flagged, bool)
    return float(told.mean())


def _rows(name: str) -> Sequence[Mapping[str, Any]]:
    text = gzip.decompress(_DATA.joinpath(name).read_bytes()).decode()
    return [json.loads(line) for line in text.splitlines()]
