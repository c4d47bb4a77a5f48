"""Reads an engine's events ahead, so that time can pass while nothing comes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Generic, Self, TypeVar

Item = TypeVar("Item")

AHEAD: Final = 256
"""Most events that wait to be looked at; an engine that is faster waits in turn."""


class Feed(Generic[Item]):
    """One task reads the iterator, from its beginning to its end; none where nobody counts the time (`is_timed`)."""

    def __init__(self, items: AsyncIterator[Item], *, is_timed: bool = True) -> None:
        self._items = items
        self._is_timed = is_timed
        self._queue: asyncio.Queue[Item | None] = asyncio.Queue(AHEAD)
        self._reader: asyncio.Task[None] | None = None
        self.is_over = False

    async def __aenter__(self) -> Self:
        if self._is_timed:
            self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._reader is not None:
            self._reader.cancel()
            # What it raised was raised by `get`, or nobody asks for it.
            await asyncio.gather(self._reader, return_exceptions=True)

    async def get(self, seconds: float | None) -> Item | None:
        """The next item; None when none came for so long, or when there are no more (`is_over`).

        Raises what the iterator raises, after the items before it.
        """
        if self._reader is None:
            item = await anext(self._items, None)
            self.is_over = item is None
            return item
        try:
            item = await self._waited_for(seconds) if self._queue.empty() else self._queue.get_nowait()
        except TimeoutError:
            return None
        if item is None:
            self.is_over = True
            await self._reader
        return item

    async def _waited_for(self, seconds: float | None) -> Item | None:
        async with asyncio.timeout(seconds):
            return await self._queue.get()

    async def _read(self) -> None:
        try:
            async for item in self._items:
                await self._queue.put(item)
        finally:
            # Waits for room unless this is being cancelled, when nobody reads any more.
            if not self._is_cancelled():
                await self._queue.put(None)

    def _is_cancelled(self) -> bool:
        return bool(self._reader and self._reader.cancelling())
