"""Lets an answer pass at once, and tells later what was in it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Final, cast

from smalt.engines.protocols import ChatDelta, CompletionDelta, LateJudgement, Usage
from smalt.safety.content_filter import Event
from smalt.safety.results import Results, is_filtered
from smalt.safety.transcripts import Delta, Look, Stretch, Transcript, ended, length

WINDOW: Final = 1000
"""So many characters of a choice are looked at together."""


@dataclass(slots=True)
class PassedChoice:
    """The pieces of one choice that have left and were not looked at."""

    transcript: Transcript = field(default_factory=Transcript)
    deltas: list[Delta] = field(default_factory=list[Delta])
    start: int = 0
    characters: int = 0
    has_finished: bool = False
    is_over: bool = False

    @property
    def is_wanted(self) -> bool:
        """Whether something of it may still leave."""
        return not self.is_over and not self.has_finished

    @property
    def is_cut_off(self) -> bool:
        """Whether the engine has more to say that nobody will see."""
        return self.is_over and not self.has_finished

    def add(self, delta: Delta) -> bool:
        """Take a piece; says whether it is time to look."""
        self.deltas.append(delta)
        self.characters += length(delta)
        self.has_finished = delta.finish_reason is not None
        return self.has_finished or self.characters >= WINDOW


@dataclass(frozen=True, slots=True)
class Pending:
    """A stretch that is being looked at, and which characters of its choice it is."""

    choice: PassedChoice
    stretch: Stretch
    start: int
    end: int
    results: asyncio.Task[Results | None]


class LateJudge:
    """Looks at the stretches of one answer, in the order they were said."""

    def __init__(self, look: Look, *, tells: bool) -> None:
        self._look = look
        self._tells = tells
        self._choices: dict[int, PassedChoice] = {}
        self._pending: deque[Pending] = deque()

    def is_stopped(self, choices: int) -> bool:
        """Whether the engine goes on with choices that have ended, and with no other of so many."""
        known = self._choices.values()
        return (
            len(known) >= choices and any(one.is_cut_off for one in known) and not any(one.is_wanted for one in known)
        )

    def passes(self, delta: Delta) -> bool:
        """Take a piece, and look at what its choice has said when it is time; false when the choice has ended."""
        choice = self._choices.setdefault(delta.choice, PassedChoice())
        if choice.is_over:
            choice.has_finished = delta.finish_reason is not None
        elif choice.add(delta):
            self._begin(choice, is_last=choice.has_finished)
        return not choice.is_over

    async def known(self) -> list[Delta | LateJudgement]:
        """What is known by now."""
        told: list[Delta | LateJudgement] = []
        while self._pending and self._pending[0].results.done():
            told += await self._next()
        return told

    async def rest(self) -> list[Delta | LateJudgement]:
        """What there is to tell when nothing more is said."""
        for choice in self._choices.values():
            if not choice.is_over:
                self._begin(choice, is_last=True)
        told: list[Delta | LateJudgement] = []
        while self._pending:
            told += await self._next()
        return told

    async def close(self) -> None:
        """Stop looking."""
        for pending in self._pending:
            pending.results.cancel()
        await asyncio.gather(*(pending.results for pending in self._pending), return_exceptions=True)

    def _begin(self, choice: PassedChoice, *, is_last: bool) -> None:
        """Look at what a choice has said since the last time."""
        if not choice.deltas:
            return
        stretch = Stretch(choice.deltas[0].choice, choice.transcript, choice.deltas, is_last=is_last)
        end = choice.start + choice.characters
        before = self._pending[-1].results if self._pending else None
        task = asyncio.create_task(self._after(before, stretch))
        self._pending.append(Pending(choice, stretch, choice.start, end, task))
        choice.deltas, choice.start, choice.characters = [], end, 0

    async def _after(self, before: asyncio.Task[Results | None] | None, stretch: Stretch) -> Results | None:
        if before is not None:
            await asyncio.wait([before])
        return await self._look(stretch)

    async def _next(self) -> list[Delta | LateJudgement]:
        pending = self._pending[0]
        results = await pending.results
        self._pending.popleft()
        choice, stretch = pending.choice, pending.stretch
        if results is None or choice.is_over:
            return []
        choice.is_over = is_filtered(results)
        if choice.is_over and not self._tells and not choice.has_finished:
            return [ended(stretch.deltas[0], results)]
        if not choice.is_over and not self._tells:
            return []
        # Where results are not told, what was found after the end still counts.
        reason = "content_filter" if choice.is_over else None
        offsets = (pending.start, pending.start, pending.end)
        return [LateJudgement(stretch.choice, results, *offsets, finish_reason=reason)]


async def passed_on(
    events: AsyncIterator[Event], look: Look, *, choices: int = 1, tells: bool
) -> AsyncGenerator[Event]:
    """The events of an answer of so many `choices` as they come, and among them what is found in what has passed.

    A choice that crosses the line ends as soon as that is known; the answer ends when no other is still wanted. The
    usage waits until everything was looked at.
    """
    late = LateJudge(look, tells=tells)
    try:
        async for event in events:
            for one in await (late.rest() if isinstance(event, Usage) else late.known()):
                yield cast("Event", one)
            if not isinstance(event, ChatDelta | CompletionDelta) or late.passes(event):
                yield event
            if late.is_stopped(choices):
                break
        for one in await late.rest():
            yield cast("Event", one)
    finally:
        await late.close()
