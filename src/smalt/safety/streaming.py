"""Holds an answer back until it was looked at: nothing of a stretch that crosses the line leaves."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from smalt.engines.protocols import ChatDelta, CompletionDelta, Usage
from smalt.safety.content_filter import Event
from smalt.safety.feeding import Feed
from smalt.safety.results import is_filtered
from smalt.safety.transcripts import Delta, Look, Stretch, Transcript, ended, last_border, length


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of a choice is looked at together.

    The first stretch has `first` characters; each is twice as long as the one before, up to `longest`. No piece waits
    longer than `held_seconds` for others to come: it is looked at alone, unless this is None.
    """

    first: int
    longest: int
    held_seconds: float | None


STREAMED: Final = Pace(60, 480, 0.3)
"""For those who read along."""

WHOLE: Final = Pace(8_000, 8_000, None)
"""For those who get the answer at its end: once, unless it is too long to be judged in one piece."""

LONGEST_WORD: Final = 400
"""What has no border for so long is no word."""


class HeldChoice:
    """The pieces of one choice that wait to be looked at."""

    def __init__(self, look: Look, pace: Pace) -> None:
        self._look = look
        self._pace = pace
        self._transcript = Transcript()
        self._held: list[Delta] = []
        self._characters = 0
        self._enough = pace.first
        self._has_finished = False
        self.since = 0.0
        self.is_over = False

    @property
    def is_waiting(self) -> bool:
        """Whether something is held."""
        return bool(self._held)

    @property
    def is_wanted(self) -> bool:
        """Whether something of it may still leave."""
        return not self.is_over and not self._has_finished

    @property
    def is_cut_off(self) -> bool:
        """Whether the engine has more to say that nobody will see."""
        return self.is_over and not self._has_finished

    async def add(self, delta: Delta) -> Sequence[Delta]:
        """Take a piece; returns those that may leave now."""
        self._has_finished = self._has_finished or delta.finish_reason is not None
        if self.is_over:
            return ()
        if not self._held:
            self.since = time.monotonic()
        self._held.append(delta)
        self._characters += length(delta)
        if self._has_finished:
            return await self.finish()
        if not self._characters:
            return self._taken(len(self._held))
        return await self.look() if self._characters >= self._enough else ()

    async def look(self) -> Sequence[Delta]:
        """Look at what is held, but for a word that has begun; returns what may leave."""
        count = last_border(self._held)
        if not count and self._characters > LONGEST_WORD:
            count = len(self._held)
        self.since = time.monotonic()
        if not count:
            return ()
        self._enough = min(2 * self._enough, self._pace.longest)
        return await self._looked_at(self._taken(count))

    async def finish(self) -> Sequence[Delta]:
        """Look at everything that is held; nothing comes after it."""
        return await self._looked_at(self._taken(len(self._held)), is_last=True)

    def _taken(self, count: int) -> list[Delta]:
        taken, self._held = self._held[:count], self._held[count:]
        self._characters = sum(map(length, self._held))
        return taken

    async def _looked_at(self, deltas: list[Delta], *, is_last: bool = False) -> Sequence[Delta]:
        if not deltas:
            return ()
        judged = await self._look(Stretch(deltas[0].choice, self._transcript, deltas, is_last=is_last))
        if judged is None:
            return deltas
        if is_filtered(judged):
            self.is_over = True
            self._held.clear()
            return [ended(deltas[0], judged)]
        # Azure's last chunk, which ends the choice, tells of nothing.
        last = len(deltas) - 1
        place = next((place for place in range(last, -1, -1) if length(deltas[place])), last)
        deltas[place] = replace(deltas[place], judged=judged)
        return deltas


async def held_back(
    events: AsyncIterator[Event], look: Look, *, choices: int = 1, pace: Pace = STREAMED
) -> AsyncGenerator[Event]:
    """The events of an answer of so many `choices`, every piece after it was looked at and with what was found in it.

    Ends early when choices were blocked and no other is still wanted.
    """
    held: dict[int, HeldChoice] = {}
    async with Feed(events, is_timed=pace.held_seconds is not None) as feed:
        while not feed.is_over and not (len(held) >= choices and _is_stopped(held.values())):
            event = await feed.get(_patience(held.values(), pace))
            if isinstance(event, ChatDelta | CompletionDelta):
                choice = held.get(event.choice) or held.setdefault(event.choice, HeldChoice(look, pace))
                leaving = await choice.add(event)
            else:
                is_last = feed.is_over or isinstance(event, Usage)
                leaving = await _leaving(held.values(), pace, is_last=is_last)
            for delta in leaving:
                yield cast("Event", delta)
            if event is not None and not isinstance(event, ChatDelta | CompletionDelta):
                yield event


def _is_stopped(choices: Collection[HeldChoice]) -> bool:
    """Whether the engine goes on with what nobody will see, and with nothing else."""
    return any(choice.is_cut_off for choice in choices) and not any(choice.is_wanted for choice in choices)


async def _leaving(choices: Collection[HeldChoice], pace: Pace, *, is_last: bool) -> list[Delta]:
    """What may leave when nothing has come for a while, or when nothing will."""
    now = time.monotonic()
    leaving: list[Delta] = []
    for choice in choices:
        if is_last:
            leaving += await choice.finish()
        elif choice.is_waiting and pace.held_seconds is not None and now - choice.since >= pace.held_seconds:
            leaving += await choice.look()
    return leaving


def _patience(choices: Collection[HeldChoice], pace: Pace) -> float | None:
    """How long to wait for the next piece: no piece that is held shall wait longer."""
    if pace.held_seconds is None:
        return None
    since = min((choice.since for choice in choices if choice.is_waiting), default=None)
    return None if since is None else max(0.0, since + pace.held_seconds - time.monotonic())
