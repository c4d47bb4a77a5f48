"""Heads over the features of a text: what each category's probability is, for every window."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from smalt.engines.moderation_worker.minors import means_minors

FOLDER: Final = Path(__file__).parent / "heads"
"""The heads that come with Smalt."""

SEXUAL: Final = "sexual"
MINORS: Final = "sexual/minors"
"""Not trained, for there is no data that anyone should hold: what is sexual and speaks of a minor."""

ADULTS_SHARE: Final = 0.01


class Heads:
    """Linear heads, one for each category, with the calibration of their scores."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self._trained: tuple[str, ...] = tuple(map(str, arrays["names"]))
        self.names = (*self._trained, MINORS) if SEXUAL in self._trained else self._trained
        self._weights = arrays["weights"].astype(np.float32)
        self._scales = arrays["scales"].astype(np.float32)
        self._bias = arrays["bias"].astype(np.float32)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the heads of an .npz file, which holds no pickles."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(dict(arrays))

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability of each category for each row of features."""
        logits = (rows @ self._weights) * self._scales + self._bias
        return np.reciprocal(1 + np.exp(-np.clip(logits, -30, 30)), dtype=np.float32)

    def text_scores(self, rows: NDArray[np.float32], text: str) -> dict[str, float]:
        """The highest score of a text's windows, by category; zeros for a text that has none."""
        highest = self.scores(rows).max(axis=0) if len(rows) else np.zeros(len(self._bias), np.float32)
        found = dict(zip(self._trained, map(float, highest), strict=True))
        if SEXUAL in found:
            found[MINORS] = found[SEXUAL] if means_minors(text) else found[SEXUAL] * ADULTS_SHARE
        return found
