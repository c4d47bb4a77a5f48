"""What an engine says to a prompt that is judged meanwhile, and what that has used."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Generic, Self, TypeVar

from smalt.api.accounting import Tally
from smalt.core.errors import Unavailable
from smalt.engines.protocols import ChatEvent, CompletionEvent, PromptJudged, Serving

Lent = TypeVar("Lent")
Event = TypeVar("Event", ChatEvent, CompletionEvent)


class Verdict:
    """The judgement of a prompt, which begins on entering and is given up on leaving."""

    def __init__(self, judging: Coroutine[Any, Any, PromptJudged | None]) -> None:
        self._judging = judging
        self._task: asyncio.Task[PromptJudged | None]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._judging)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await _given_up(self._task)

    async def get(self) -> PromptJudged | None:
        """What was found; raises `PromptFiltered` to refuse the prompt, or why it could not be judged."""
        return await self._task

    @asynccontextmanager
    async def leased(self, lease: Callable[[], AbstractAsyncContextManager[Lent]]) -> AsyncGenerator[Lent]:
        """An engine that is got ready meanwhile; a refused prompt waits for none, and comes before its failure."""
        async with AsyncExitStack() as stack:
            # After the lease of the model that judges: where there is room for one only, that has to come first.
            leasing = asyncio.create_task(stack.enter_async_context(lease()))
            try:
                await asyncio.wait([leasing, self._task], return_when=asyncio.FIRST_COMPLETED)
                if not leasing.done() or leasing.exception() is not None:
                    await self.get()
                yield await self._again(leasing, stack, lease)
            finally:
                await _given_up(leasing)

    async def _again(
        self,
        leasing: asyncio.Task[Lent],
        stack: AsyncExitStack,
        lease: Callable[[], AbstractAsyncContextManager[Lent]],
    ) -> Lent:
        try:
            return await leasing
        except Unavailable:
            # There may have been no room beside the model that judged.
            return await stack.enter_async_context(lease())


class EngineStream(Generic[Event]):
    """An engine's events, counted as they come; with `is_begun`, those up to the first piece are read on entering."""

    def __init__(self, events: AsyncIterator[Event], tally: Tally, *, is_begun: bool) -> None:
        self._events = events
        self._tally = tally
        self._is_begun = is_begun
        self._first: list[Event] = []
        self._beginning: asyncio.Task[None] | None = None
        self._all = self._counted()

    async def __aenter__(self) -> AsyncGenerator[Event]:
        if self._is_begun:
            self._beginning = asyncio.create_task(self._begin())
        return self._all

    async def __aexit__(self, *failure: object) -> None:
        await self._all.aclose()
        if self._beginning is not None:
            await _given_up(self._beginning)

    async def _begin(self) -> None:
        async for event in self._events:
            self._first.append(event)
            if not isinstance(event, Serving):
                return

    async def _counted(self) -> AsyncGenerator[Event]:
        if self._beginning is not None:
            await self._beginning
        for event in self._first:
            self._tally.see(event)
            yield event
        async for event in self._events:
            self._tally.see(event)
            yield event


async def _given_up(task: asyncio.Task[Any]) -> None:
    """End a task; what it has raised was raised by whoever waited for it, or nobody asks for it."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
