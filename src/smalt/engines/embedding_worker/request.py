"""One request while its windows are computed, and the vectors it ends with."""

import asyncio

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class EmbeddingRequest:
    """Collects the vectors of an input's windows: their mean, weighted by tokens, is the input's vector."""

    def __init__(self, inputs: int, windows: int, dimensions: int) -> None:
        self._sums: Vectors = np.zeros((inputs, dimensions), np.float32)
        self._weights: Vectors = np.zeros((inputs, 1), np.float32)
        self._missing = windows
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for more vectors: it is done, has failed, or was cancelled."""
        return self._done.done()

    def add(self, index: int, weight: int, vector: Vectors) -> None:
        """Add the vector of one window of the input at `index`."""
        self._sums[index] += weight * vector
        self._weights[index] += weight
        self._missing -= 1
        if not self._missing and not self._done.done():
            self._done.set_result(None)

    def fail(self, error: BaseException) -> None:
        """A batch with one of its windows failed."""
        if not self._done.done():
            self._done.set_exception(error)

    async def vectors(self, dimensions: int, *, normalize: bool) -> Vectors:
        """Wait for the last window; the vectors, cut to `dimensions`."""
        await self._done
        vectors = (self._sums / self._weights)[:, :dimensions]
        if normalize:
            # A vector of zeros stays one.
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return vectors
