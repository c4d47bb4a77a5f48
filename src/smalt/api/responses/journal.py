"""Keeps the events of a run until the request that began it has read them."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from smalt.api.responses.plan import Json

ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""The types of a response's last event."""


class Journal:
    """Events from one run to one reader; who writes never waits.

    One that `is_held` keeps everything until it is released. The last event waits until the journal is closed: by then
    the response is in the store, where a client that has read it may look for it at once.
    """

    def __init__(self, *, is_held: bool = False) -> None:
        self._is_held = is_held
        self._events: deque[Json] = deque()
        self._is_closed = False
        self._is_read = True
        self._news = asyncio.Event()
        self.next_number = 0
        """The number that an event after those so far would have."""

    def add(self, event: Json) -> None:
        """Take one event."""
        self.next_number = event["sequence_number"] + 1
        if self._is_read:
            self._events.append(event)
            if event["type"] not in ENDS:
                self._news.set()

    def release(self) -> None:
        """From now on there may be a reader."""
        self._is_held = False
        self._news.set()

    def close(self) -> None:
        """Nothing more comes."""
        self._is_closed = True
        self._news.set()

    async def batches(self) -> AsyncGenerator[list[Json]]:
        """The events as they come, all there are at once; the reader who stops lets the rest be forgotten."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                if batch := self._taken():
                    yield batch
                if self._is_closed:
                    return
        finally:
            self._is_read = False
            self._events.clear()

    def _taken(self) -> list[Json]:
        batch: list[Json] = []
        if self._is_held:
            return batch
        while self._events and (self._is_closed or self._events[0]["type"] not in ENDS):
            batch.append(self._events.popleft())
        return batch
