"""Fits linear heads to windows: unknown labels are left out, and a harmful text counts by its gravest windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from samples import CATEGORIES, Sample
from scipy.optimize import minimize

Numbers = NDArray[np.float32]

DENSE = 1536
"""The first columns of a row are the encoder's layers; the others are counts of word pieces, mostly zeros."""

MOST_WEIGHT_OF_POSITIVES = 6.0
CLOSE_TO_TOP = 1.0
"""A window of a harmful text counts as harmful when its logit is this close to the highest of the text."""


@dataclass(frozen=True)
class Texts:
    """Samples with the rows of their windows; `owner` says which sample a row is of."""

    samples: Sequence[Sample]
    rows: Numbers
    owner: NDArray[np.int64]

    @property
    def labels(self) -> Numbers:
        """Samples by categories; not a number where nothing is known."""
        unknown = float("nan")
        return np.array([[one.labels.get(name, unknown) for name in CATEGORIES] for one in self.samples], np.float32)

    def part(self, keep: NDArray[np.bool_]) -> "Texts":
        """The samples that are kept, with their rows."""
        places = np.cumsum(keep) - 1
        kept_rows = keep[self.owner]
        samples = [one for one, is_kept in zip(self.samples, keep, strict=True) if is_kept]
        return Texts(samples, self.rows[kept_rows], places[self.owner[kept_rows]])


def together(samples: Sequence[Sample], rows: Sequence[Numbers]) -> Texts:
    """Put samples and their rows together; a text without windows is left out."""
    pairs = [(sample, one) for sample, one in zip(samples, rows, strict=True) if len(one)]
    owner = np.concatenate([np.full(len(one), place) for place, (_, one) in enumerate(pairs)])
    return Texts([sample for sample, _ in pairs], np.concatenate([one for _, one in pairs]), owner)


class Linear:
    """Weights and biases of one linear head for each category."""

    def __init__(self, weights: Numbers, bias: Numbers) -> None:
        self.weights = weights
        self.bias = bias

    def logits(self, texts: Texts) -> Numbers:
        """The highest logit of every sample's windows."""
        found = np.full((len(texts.samples), len(self.bias)), -np.inf, np.float32)
        np.maximum.at(found, texts.owner, texts.rows @ self.weights + self.bias)
        return found


def fit(texts: Texts, *, decay: float, n_gram_scale: float, rounds: int = 2) -> Linear:
    """Fit; after the first round, windows of harmful texts that look harmless are left out."""
    labels = texts.labels[texts.owner]
    counts = np.bincount(texts.owner)
    weights = np.array([one.weight for one in texts.samples], np.float32) / np.sqrt(counts)
    columns = _Columns(texts.rows, n_gram_scale)
    head = columns.fit(labels, weights[texts.owner], decay)
    for _ in range(rounds - 1):
        logits = texts.rows @ head.weights + head.bias
        is_harmless = (labels > 0) & (logits < head.logits(texts)[texts.owner] - CLOSE_TO_TOP)
        head = columns.fit(np.where(is_harmless, np.nan, labels).astype(np.float32), weights[texts.owner], decay)
    return head


class _Columns:
    """The rows as a dense and a sparse block."""

    def __init__(self, rows: Numbers, n_gram_scale: float) -> None:
        self._dense = np.ascontiguousarray(rows[:, :DENSE])
        self._sparse: Any = scipy.sparse.csr_matrix(rows[:, DENSE:] * n_gram_scale)
        self._scale = n_gram_scale

    def fit(self, labels: Numbers, weights: Numbers, decay: float) -> Linear:
        known, wanted = _shares(labels, weights), np.nan_to_num(labels)
        shape = (self._dense.shape[1] + self._sparse.shape[1] + 1, labels.shape[1])

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            head = flat.astype(np.float32).reshape(shape)
            logits = self._dense @ head[:DENSE] + self._sparse @ head[DENSE:-1] + head[-1]
            total = (known * (np.logaddexp(0, logits) - wanted * logits)).sum() + decay / 2 * (head[:-1] ** 2).sum()
            errors = known * (1 / (1 + np.exp(-logits)) - wanted)
            slopes = np.concatenate([self._dense.T @ errors, self._sparse.T @ errors, errors.sum(0)[None]])
            slopes[:-1] += decay * head[:-1]
            return float(total), slopes.astype(np.float64).ravel()

        found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x
        head = found.astype(np.float32).reshape(shape)
        head[DENSE:-1] *= self._scale
        return Linear(head[:-1], head[-1])


def _shares(labels: Numbers, weights: Numbers) -> Numbers:
    """How much each known label counts: positives more where they are rare, and every category the same."""
    known = (~np.isnan(labels)) * weights[:, None]
    wanted = np.nan_to_num(labels)
    positive, negative = (known * wanted).sum(0), (known * (1 - wanted)).sum(0)
    of_positives = np.minimum(np.sqrt(negative / positive), MOST_WEIGHT_OF_POSITIVES)
    known = known * (wanted * of_positives + 1 - wanted)
    return (known / known.sum(0)).astype(np.float32)
