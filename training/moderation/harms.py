"""Makes the heads for OpenAI's categories, chooses thresholds and tells the figures: `python …/harms.py`.

Needs scipy and PyYAML beside `smalt[local]`.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import thresholds
import windows
from fitting import Linear, Numbers, Texts, fit, together
from samples import CATEGORIES, OPENAI_NAMES, held_out, training
from scipy.optimize import minimize

from smalt.cli.bench.safety_measures import auroc
from smalt.engines.moderation_worker.heads import FOLDER

DECAY = 3e-4
N_GRAM_SCALE = 0.1
FOLDS = 3
RELATED = {
    "violence/graphic": {"violence": 0.5},
    "hate/threatening": {"hate": 0.3, "violence": 0.3},
    "harassment/threatening": {"harassment": 0.3, "violence": 0.3},
    "self-harm/intent": {"self-harm": 0.3},
    "self-harm/instructions": {"self-harm": 0.3},
    "illicit/violent": {"illicit": 0.3},
}
"""What else speaks for a category that has few harmful texts of its own: shares of other heads, added to its own."""


def main() -> None:
    """Fit, calibrate on folds that were left out, write, and tell how folds and held-out samples score."""
    encoder = windows.features()
    samples = training()
    texts = together(samples, windows.rows_of([one.text for one in samples], encoder))
    left_out = out_of_fold(texts)
    head = fitted(texts)
    scales, shifts = calibration(left_out, texts)
    write(head, scales, shifts, FOLDER / "harms.npz")
    is_openai = np.array([one.source == "openai" for one in texts.samples])
    is_known_there = np.isin(CATEGORIES, list(OPENAI_NAMES.values()))
    labels = np.where(is_known_there & ~is_openai[:, None], np.nan, texts.labels)
    thresholds.choose(1 / (1 + np.exp(-(left_out * scales + shifts))), labels)
    tell("folds left out", left_out, texts)
    kept = held_out()
    seen = together(kept, windows.rows_of([one.text for one in kept], encoder))
    tell("held out", head.logits(seen), seen)
    every = together([*samples, *kept], windows.rows_of([one.text for one in [*samples, *kept]], encoder))
    tell("folds left out, of all samples", out_of_fold(every), every)


def fitted(texts: Texts) -> Linear:
    """Heads fitted to the texts, those of rare categories leaning on related ones."""
    head = fit(texts, decay=DECAY, n_gram_scale=N_GRAM_SCALE)
    mixing = np.eye(len(CATEGORIES), dtype=np.float32)
    for name, others in RELATED.items():
        for other, share in others.items():
            mixing[CATEGORIES.index(other), CATEGORIES.index(name)] = share
    return Linear(head.weights @ mixing, head.bias @ mixing)


def out_of_fold(texts: Texts) -> Numbers:
    """The logits of every sample, by heads that were fitted without it."""
    folds = np.array([int(hashlib.sha256(one.text.encode()).hexdigest(), 16) % FOLDS for one in texts.samples])
    found = np.zeros((len(texts.samples), len(CATEGORIES)), np.float32)
    for fold in range(FOLDS):
        head = fitted(texts.part(folds != fold))
        found[folds == fold] = head.logits(texts.part(folds == fold))
    return found


def calibration(logits: Numbers, texts: Texts) -> tuple[Numbers, Numbers]:
    """A scale and a shift for each category that make probabilities of logits, as frequent as in training."""
    labels = texts.labels
    weights = np.array([one.weight for one in texts.samples])
    found = [_platt(logits[:, place], labels[:, place], weights) for place in range(len(CATEGORIES))]
    return np.array([one[0] for one in found], np.float32), np.array([one[1] for one in found], np.float32)


def _platt(logits: Numbers, labels: Numbers, weights: Numbers) -> tuple[float, float]:
    known = ~np.isnan(labels)
    logits, labels, weights = logits[known], labels[known], weights[known]

    def loss(pair: Sequence[float]) -> float:
        scaled = pair[0] * logits + pair[1]
        return float((weights * (np.logaddexp(0, scaled) - labels * scaled)).sum())

    scale, shift = minimize(loss, [1.0, 0.0], method="Nelder-Mead").x
    return float(scale), float(shift)


def write(head: Linear, scales: Numbers, shifts: Numbers, path: Path) -> None:
    """Write the heads with their calibration folded in."""
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        names=np.array(CATEGORIES),
        weights=(head.weights).astype(np.float16),
        scales=scales,
        bias=head.bias * scales + shifts,
    )


def tell(title: str, logits: Numbers, texts: Texts) -> None:
    """Print the areas over OpenAI's own samples."""
    labels = texts.labels
    is_openai = np.array([one.source == "openai" for one in texts.samples])
    areas = {
        name: auroc(labels[rows, place], logits[rows, place])
        for place, name in enumerate(CATEGORIES)
        if name in OPENAI_NAMES.values() and (rows := is_openai & ~np.isnan(labels[:, place])).any()
    }
    print(title, json.dumps(areas, indent=1), "mean", sum(areas.values()) / len(areas))


if __name__ == "__main__":
    main()
