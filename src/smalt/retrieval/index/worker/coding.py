"""Turns vectors into codes: 8 bits a number to score with, and sketches of one bit a number to see where to score.

Nothing is learnt from the data. After a random rotation the numbers of any unit vector look like draws from one normal
distribution, so the best codes are known beforehand: there is no training, no drift, and rows are added at any time.
"""

from functools import cache
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

# faiss's own type hints know little of what its Python layer adds.
faiss: Any = _faiss

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

STEP = 32
"""Widths are multiples of this, as the sketch's kernel likes them."""

WIDEST_ROTATION = 1024
REACH = 4.3
"""Numbers further from 0, in standard deviations, are cut: few are, and the steps of the rest are finer (measured)."""

SKETCH_POINTS = 16
NARROW = 384
"""Vectors with fewer numbers have sketches of two bits for each, or there would be too few bits to tell them apart."""

SEED = 20


class Coder:
    """The codes of vectors with `dimensions` numbers."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self.width = -(-dimensions // STEP) * STEP
        self.reach = REACH / np.sqrt(self.width)
        self._order = np.random.RandomState(SEED).permutation(self.width)
        self._rotations = [_rotation(size) for size in _sizes(self.width)]

    def rotate(self, rows: Floats) -> Floats:
        """The rows as the codes see them; inner products stay the same."""
        padded = np.zeros((len(rows), self.width), np.float32)
        padded[:, : self.dimensions] = rows
        if len(self._rotations) == 1:
            return padded @ self._rotations[0]
        mixed = padded[:, self._order]
        ends = np.cumsum(_sizes(self.width))[:-1]
        parts = zip(np.split(mixed, ends, axis=1), self._rotations, strict=True)
        return np.concatenate([part @ rotation for part, rotation in parts], axis=1)

    def new_codes(self) -> Any:
        """An empty index of 8-bit codes."""
        index = faiss.IndexScalarQuantizer(
            self.width, faiss.ScalarQuantizer.QT_8bit_uniform, faiss.METRIC_INNER_PRODUCT
        )
        faiss.copy_array_to_vector(np.array([-self.reach, 2 * self.reach], np.float32), index.sq.trained)
        index.is_trained = True
        return index

    def new_sketches(self) -> Any:
        """An empty index of sketches, which is scanned ten times as fast."""
        part = 2 if self.width < NARROW else 4
        parts = self.width // part
        index = faiss.IndexPQFastScan(self.width, parts, 4, faiss.METRIC_INNER_PRODUCT)
        points = np.tile(_normal_points(part) / np.sqrt(self.width), (parts, 1, 1)).astype(np.float32)
        faiss.copy_array_to_vector(points.ravel(), index.pq.centroids)
        index.is_trained = True
        return index

    def scores(self, codes: Bytes, query: Floats) -> Floats:
        """Inner products of some rows of codes with one rotated query."""
        step = 2 * self.reach / 255
        offset = float(query.sum()) * (0.5 * step - self.reach)
        return (codes.astype(np.float32) @ query) * np.float32(step) + np.float32(offset)


@cache
def coder(dimensions: int) -> Coder:
    """The coder for vectors with `dimensions` numbers, made once."""
    return Coder(dimensions)


def _sizes(width: int) -> list[int]:
    whole, rest = divmod(width, WIDEST_ROTATION)
    return [WIDEST_ROTATION] * whole + ([rest] if rest else [])


@cache
def _rotation(size: int) -> Floats:
    # RandomState's numbers are the same in every version of numpy; with its diagonal positive, so is the rotation.
    triangle: Any
    rotation, triangle = np.linalg.qr(np.random.RandomState(SEED).standard_normal((size, size)))
    return (rotation * np.sign(np.diag(triangle))).astype(np.float32)


@cache
def _normal_points(dimensions: int) -> Floats:
    """The points that stand best for a normal distribution in a few dimensions (Lloyd's algorithm)."""
    random = np.random.RandomState(SEED)
    drawn = random.standard_normal((20_000, dimensions))
    points = drawn[:SKETCH_POINTS].copy()
    for _ in range(30):
        nearest = (drawn @ points.T - 0.5 * (points**2).sum(axis=1)).argmax(axis=1)
        points = np.stack([drawn[nearest == one].mean(axis=0) for one in range(SKETCH_POINTS)])
    return points.astype(np.float32)
