"""The windows that wait for a batch: fair between requests, alike in length within a batch."""

import heapq
import itertools
from dataclasses import dataclass, field

from smalt.engines.embedding_worker.request import EmbeddingRequest
from smalt.engines.embedding_worker.windows import Window

BUCKET_TOKENS = 8
RUN_COST_TOKENS = 12
"""A run costs as much before its first token as this many tokens take (measured: 4 ms against 0.35 ms a token)."""

MAX_PADDED_TOKENS = 512
"""Larger batches are slower by the token (they leave the cache) and let others wait longer."""


@dataclass(order=True, slots=True)
class Waiting:
    """A window in the queue; smaller tags go first."""

    tag: float
    number: int
    request: EmbeddingRequest = field(compare=False)
    window: Window = field(compare=False)

    @property
    def size(self) -> int:
        """Its length in tokens."""
        return len(self.window.ids)


class WaitingRoom:
    """Windows by length. Each request's windows are tagged one after the other in tokens, from the time it came.

    So a request of one text goes next after what runs, even beside one with thousands of texts.
    """

    def __init__(self, max_batch: int) -> None:
        self._max_batch = max_batch
        self._buckets: dict[int, list[Waiting]] = {}
        self._numbers = itertools.count()
        self._time = 0.0
        self.tokens = 0

    def add(self, request: EmbeddingRequest, windows: list[Window]) -> None:
        """Queue a request's windows."""
        tag = self._time
        for window in windows:
            waiting = Waiting(tag, next(self._numbers), request, window)
            heapq.heappush(self._buckets.setdefault(waiting.size // BUCKET_TOKENS, []), waiting)
            tag += waiting.size
            self.tokens += waiting.size

    def take(self, runners: int) -> list[Waiting]:
        """The next batch, empty when nothing waits; `runners` idle runners share what is there."""
        batch: list[Waiting] = []
        longest = tokens = 0
        share = self.tokens / runners
        while len(batch) < self._max_batch and (not batch or tokens < share):
            key = self._nearest(longest, len(batch)) if batch else self._first()
            if key is None:
                break
            waiting = self._pop(key)
            if not waiting.request.is_over:
                batch.append(waiting)
                longest = max(longest, waiting.size)
                tokens += waiting.size
        if batch:
            self._time = max(self._time, batch[0].tag)
        return batch

    def _first(self) -> int | None:
        """The length whose turn it is."""
        return min(self._buckets, key=lambda key: self._buckets[key][0], default=None)

    def _nearest(self, longest: int, count: int) -> int | None:
        """The nearest length for a batch of `count`; None when that costs more padding than a run of its own."""
        if not self._buckets:
            return None
        key = min(self._buckets, key=lambda key: abs(self._buckets[key][0].size - longest))
        size = self._buckets[key][0].size
        padding = longest - size if size <= longest else (size - longest) * count
        is_too_large = max(size, longest) * (count + 1) > MAX_PADDED_TOKENS
        return None if padding >= RUN_COST_TOKENS or is_too_large else key

    def _pop(self, key: int) -> Waiting:
        bucket = self._buckets[key]
        waiting = heapq.heappop(bucket)
        if not bucket:
            del self._buckets[key]
        self.tokens -= waiting.size
        return waiting
