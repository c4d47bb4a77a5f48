"""Holds an answer back until it was looked at: nothing of a stretch that crosses the line leaves."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from dataclasses import replace
from typing import Final, cast

from smalt.engines.protocols import ChatDelta, CompletionDelta, Usage
from smalt.safety.content_filter import Event
from smalt.safety.feeding import Feed
from smalt.safety.results import is_filtered
from smalt.safety.transcripts import Delta, Look, Stretch, Transcript, ended, last_border, length

FIRST: Final = 60
LONGEST: Final = 480
"""A choice's first stretch has so many characters; each is twice as long as the one before, up to the longest."""

HELD_SECONDS: Final = 0.3
"""No piece waits longer for others to come; it is looked at alone."""

LONGEST_WORD: Final = 400
"""What has no border for so long is no word."""


class HeldChoice:
    """The pieces of one choice that wait to be looked at."""

    def __init__(self, look: Look, *, tells: bool) -> None:
        self._look = look
        self._tells = tells
        self._transcript = Transcript()
        self._held: list[Delta] = []
        self._characters = 0
        self._enough = FIRST
        self.since = 0.0
        self.is_over = False

    @property
    def is_waiting(self) -> bool:
        """Whether something is held."""
        return bool(self._held)

    async def add(self, delta: Delta) -> Sequence[Delta]:
        """Take a piece; returns those that may leave now."""
        if not self._held:
            self.since = time.monotonic()
        self._held.append(delta)
        self._characters += length(delta)
        if delta.finish_reason is not None:
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
        self._enough = min(2 * self._enough, LONGEST)
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
        told = judged if self._tells else None
        if is_filtered(judged):
            self.is_over = True
            self._held.clear()
            return [ended(deltas[0], told)]
        # Azure's last chunk, which ends the choice, tells of nothing.
        place = max((place for place, delta in enumerate(deltas) if length(delta)), default=len(deltas) - 1)
        deltas[place] = replace(deltas[place], judged=told)
        return deltas


async def held_back(events: AsyncIterator[Event], look: Look, *, tells: bool) -> AsyncGenerator[Event]:
    """The events of an answer, every piece after it was looked at; `tells` puts what was found into the pieces."""
    choices: dict[int, HeldChoice] = {}
    async with Feed(events) as feed:
        while not feed.is_over:
            event = await feed.get(_patience(choices.values()))
            if isinstance(event, ChatDelta | CompletionDelta):
                choice = choices.setdefault(event.choice, HeldChoice(look, tells=tells))
                leaving = () if choice.is_over else await choice.add(event)
            else:
                leaving = await _leaving(choices.values(), is_last=feed.is_over or isinstance(event, Usage))
            for delta in leaving:
                yield cast("Event", delta)
            if event is not None and not isinstance(event, ChatDelta | CompletionDelta):
                yield event


async def _leaving(choices: Collection[HeldChoice], *, is_last: bool) -> list[Delta]:
    """What may leave when nothing has come for a while, or when nothing will."""
    now = time.monotonic()
    leaving: list[Delta] = []
    for choice in choices:
        if is_last:
            leaving += await choice.finish()
        elif choice.is_waiting and now - choice.since >= HELD_SECONDS:
            leaving += await choice.look()
    return leaving


def _patience(choices: Collection[HeldChoice]) -> float | None:
    """How long to wait for the next piece: no piece that is held shall wait longer."""
    since = min((choice.since for choice in choices if choice.is_waiting), default=None)
    return None if since is None else max(0.0, since + HELD_SECONDS - time.monotonic())
