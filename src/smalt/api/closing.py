"""Closes what an engine streams when nobody reads on."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")


class Closing(Generic[Item]):
    """Gives an iterator, and closes it at the end if it can be closed, as generators can."""

    __slots__ = ("_items",)

    def __init__(self, items: AsyncIterator[Item]) -> None:
        self._items = items

    async def __aenter__(self) -> AsyncIterator[Item]:
        return self._items

    async def __aexit__(self, *failure: object) -> None:
        if isinstance(self._items, AsyncGenerator):
            await cast("AsyncGenerator[Item]", self._items).aclose()
