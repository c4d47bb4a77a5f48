"""Holds calls back so that a connection stays below its connector's limit, over every process on the database."""

import asyncio
from time import monotonic

from smalt.connectors.definitions.vocabulary import Throttle
from smalt.core.ids import random_id
from smalt.core.settings import ConnectorSettings
from smalt.store.database import Database
from smalt.store.throttle_slots import Limit, ThrottleSlots

GUARD_SECONDS = 1.0
"""What a call may be late, on its way or before it, and still not meet those of the next window."""

MOST_SETTLINGS = 5


class Throttled:
    """The turns of one connection; calls wait for theirs instead of failing."""

    def __init__(
        self, database: Database, connection_id: str, throttle: Throttle, *, guard_seconds: float = GUARD_SECONDS
    ) -> None:
        limit = Limit(throttle.calls, throttle.seconds * 1000, round(guard_seconds * 1000))
        self._slots = ThrottleSlots(database, connection_id, limit)
        self._tolerance = guard_seconds / 4

    async def turn(self) -> None:
        """Wait until one call may go out; it is to be made at once. A cancelled wait gives its place back."""
        slot_id = random_id("slot_")
        try:
            await self._wait(slot_id)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.ensure_future(self._slots.give_back(slot_id)))
            raise

    async def _wait(self, slot_id: str) -> None:
        asked_at = monotonic()
        seconds = await self._slots.book(slot_id)
        settlings = 0
        # Whoever slept, or was held up by the database, looks again; one that is always slow must not hold it for ever.
        while seconds > 0 or (monotonic() - asked_at > self._tolerance and settlings < MOST_SETTLINGS):
            await asyncio.sleep(seconds)
            asked_at = monotonic()
            seconds = await self._slots.settle(slot_id)
            settlings += 1


def throttled(
    settings: ConnectorSettings, database: Database, connection_id: str, throttle: Throttle
) -> Throttled | None:
    """The turns of a connection as the settings want them; None when calls are not held back."""
    if not settings.throttle:
        return None
    if settings.calls_per_minute is not None:
        throttle = Throttle(settings.calls_per_minute, 60)
    return Throttled(database, connection_id, throttle)
