"""Trains the heads `jailbreak` and `indirect_attack` and writes attacks.npz; prints what they do on the test part.

Run it with the extra `local` installed, and with scikit-learn, pandas, pyarrow and PyYAML:
python training/moderation/attacks.py ENCODER.onnx TOKENIZER.json
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import attacks_data
import numpy as np
import windows
from attacks_data import Example, Head
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from smalt.engines.moderation_worker.features import TextFeatures
from smalt.engines.moderation_worker.heads import FOLDER

HALF = 0.5

MOST_CHARACTERS = 1300
"""What is looked at of a long text while learning."""

STRENGTH: dict[Head, float] = {"jailbreak": 3.0, "indirect_attack": 1.0}
OWN_WEIGHT: dict[Head, float] = {"jailbreak": 10.0, "indirect_attack": 5.0}
"""Inverse strengths of the penalty and weights of our own lines, chosen by average precision on the validation part."""

TECHNICAL_WEIGHT = 3.0
"""Manuals and code are full of commands and rules, and people paste a lot of them."""

MOST_FALSE_ALARMS = {"jailbreak": 0.006, "indirect_attack": 0.01}
"""Share of harmless texts of the validation part that a threshold may be exceeded by."""

NOT_PLAINLY_HARMLESS = {"neuralchemy", "openai-moderation"}
"""No threshold is chosen by prompts that were written to look like attacks, nor by those that do some other harm."""


@dataclass(frozen=True)
class Seen:
    """An example with the rows of its windows."""

    example: Example
    rows: NDArray[np.float32]


def main(model: str, tokenizer: str) -> None:
    """Train, measure and write both heads."""
    examples = attacks_data.examples()
    rows = windows.rows_of([one.text[:MOST_CHARACTERS] for one in examples], TextFeatures(model, tokenizer))
    seen = [Seen(one, some) for one, some in zip(examples, rows, strict=True) if len(some)]
    names: tuple[Head, ...] = ("jailbreak", "indirect_attack")
    fits = [_fitted(_of(seen, name, "train"), name) for name in names]
    for name, fit in zip(names, fits, strict=True):
        threshold = _threshold(_of(seen, name, "validation"), fit, MOST_FALSE_ALARMS[name])
        print(f"{name}: threshold {threshold:.3f}")
        for part in ("validation", "test"):
            _report(part, _of(seen, name, part), fit, threshold)
    np.savez_compressed(
        FOLDER / "attacks.npz",
        names=np.array(names),
        weights=np.stack([fit.coef_[0] for fit in fits], axis=1).astype(np.float16),
        scales=np.ones(len(names), np.float32),
        bias=np.array([fit.intercept_[0] for fit in fits], np.float32),
    )


def _of(seen: Sequence[Seen], head: Head, part: str) -> list[Seen]:
    return [one for one in seen if one.example.head == head and one.example.part == part]


def _fitted(seen: Sequence[Seen], head: Head) -> LogisticRegression:
    """A fit to all windows, and then to those windows of long attacks that look like the attack."""
    fit = _fit(seen, [np.ones(len(one.rows), bool) for one in seen], head)
    return _fit(seen, [_telling(one, fit) for one in seen], head)


def _telling(one: Seen, fit: LogisticRegression) -> NDArray[np.bool_]:
    """Every window of a harmless text; of an attack, the one that scores highest and those that are clear."""
    if not one.example.label:
        return np.ones(len(one.rows), bool)
    scores = _windows(one, fit)
    return (scores >= HALF) | (scores == scores.max())


def _fit(seen: Sequence[Seen], kept: Sequence[NDArray[np.bool_]], head: Head) -> LogisticRegression:
    rows = np.concatenate([one.rows[mask] for one, mask in zip(seen, kept, strict=True)]).astype(np.float32)
    labels = np.concatenate([np.full(mask.sum(), one.example.label) for one, mask in zip(seen, kept, strict=True)])
    # A long text counts as much as a short one.
    weights = np.concatenate(
        [np.full(mask.sum(), mask.sum() ** -0.5 * _weight(one, head)) for one, mask in zip(seen, kept, strict=True)]
    )
    return LogisticRegression(C=STRENGTH[head], max_iter=300).fit(rows, labels, sample_weight=weights)


def _weight(one: Seen, head: Head) -> float:
    if one.example.source == "technical":
        return TECHNICAL_WEIGHT
    return OWN_WEIGHT[head] if one.example.source == "own" else 1.0


def _windows(one: Seen, fit: LogisticRegression) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-(one.rows.astype(np.float32) @ fit.coef_[0] + fit.intercept_[0])))


def _scores(seen: Sequence[Seen], fit: LogisticRegression) -> NDArray[np.float64]:
    return np.array([_windows(one, fit).max() for one in seen])


def _threshold(seen: Sequence[Seen], fit: LogisticRegression, most: float) -> float:
    """The least threshold, from a half on, that few enough harmless texts exceed."""
    harmless = [one for one in seen if not one.example.label and one.example.source not in NOT_PLAINLY_HARMLESS]
    return max(HALF, round(float(np.quantile(_scores(harmless, fit), 1 - most)), 3))


def _report(part: str, seen: Sequence[Seen], fit: LogisticRegression, threshold: float) -> None:
    labels, scores = np.array([one.example.label for one in seen]), _scores(seen, fit)
    print(
        f"  {part}: n {len(seen)}, attacks {labels.sum()}, AUROC {roc_auc_score(labels, scores):.4f}, "
        f"AUPRC {average_precision_score(labels, scores):.4f}, F1 {f1_score(labels, scores >= threshold):.3f} "
        f"(at a half {f1_score(labels, scores >= HALF):.3f})"
    )
    sources = np.array([one.example.source for one in seen])
    for source in sorted(set(sources)):
        for label, word in ((1, "attacks found"), (0, "harmless ones taken for attacks")):
            some = scores[(sources == source) & (labels == label)]
            if len(some):
                print(f"    {source}: {(some >= threshold).sum()} of {len(some)} {word}")


if __name__ == "__main__":
    main(*sys.argv[1:])
