"""Lets many read at once, or one write."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Turnstile:
    """Readers come in together; a writer waits until they have gone, and those who come later wait for it."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._readers = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def is_free(self) -> bool:
        """Whether nobody is in, or waits to write."""
        return not self._readers and not self._door.locked()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[None]:
        """Nobody writes meanwhile."""
        async with self._door:
            self._readers += 1
            self._empty.clear()
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._empty.set()

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[None]:
        """Nobody reads or writes meanwhile."""
        async with self._door:
            await self._empty.wait()
            yield
