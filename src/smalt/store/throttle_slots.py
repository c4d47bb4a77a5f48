"""Books calls so that a connection's limit holds over every process that shares the database.

A slot is the time at which a call may go out. Slots are given first come, first served: each is a window and a guard
after the one `calls` places before it. A call that had to wait, or comes late, is settled once more before it goes:
what was sent meanwhile decides, so a late call never pushes two windows together.
"""

from dataclasses import dataclass
from time import time

import sqlalchemy as sa

from smalt.store.database import Database
from smalt.store.tables import throttle_slots as table

SLACK_MS = 3_600_000
"""How much longer than a queue of its length a wait may be, since those before it may have left the queue."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in any `window_ms`; `guard_ms` is what a call may take to arrive, added between windows."""

    calls: int
    window_ms: int
    guard_ms: int

    @property
    def distance_ms(self) -> int:
        """How far a call is from the one `calls` places before it."""
        return self.window_ms + self.guard_ms


class ThrottleSlots:
    """The slots of one connection."""

    def __init__(self, database: Database, connection_id: str, limit: Limit) -> None:
        self._database = database
        self._connection_id = connection_id
        self._limit = limit

    async def book(self, slot_id: str) -> float:
        """Take the next free slot; returns how many seconds it is away."""

        def insert(connection: sa.Connection) -> float:
            now_ms = _now_ms(connection)
            connection.execute(sa.delete(table).where(self._mine, table.c.starts_at_ms <= now_ms - self._long_ago_ms))
            last_ms = self._last_ms(connection, now_ms)
            starts_at_ms = max(now_ms, last_ms, self._earliest_ms(connection))
            row = {"id": slot_id, "connection_id": self._connection_id, "starts_at_ms": starts_at_ms}
            connection.execute(sa.insert(table).values(row))
            return (starts_at_ms - now_ms) / 1000

        return await self._database.write(insert)

    async def settle(self, slot_id: str) -> float:
        """Have the slot begin now, or when the calls before allow it; returns how many seconds that is away."""

        def update(connection: sa.Connection) -> float:
            now_ms = _now_ms(connection)
            starts_at_ms = max(now_ms, self._earliest_ms(connection, before=now_ms, without=slot_id))
            row = {"id": slot_id, "connection_id": self._connection_id, "starts_at_ms": starts_at_ms}
            # It may have been swept after a long sleep of the machine, so it is written anew.
            connection.execute(sa.delete(table).where(table.c.id == slot_id))
            connection.execute(sa.insert(table).values(row))
            return (starts_at_ms - now_ms) / 1000

        return await self._database.write(update)

    async def give_back(self, slot_id: str) -> None:
        """Free a slot whose call is not made."""
        await self._database.write(lambda connection: connection.execute(sa.delete(table).where(table.c.id == slot_id)))

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return table.c.connection_id == self._connection_id

    @property
    def _long_ago_ms(self) -> int:
        return 2 * self._limit.distance_ms

    def _last_ms(self, connection: sa.Connection, now_ms: int) -> int:
        """When the last of those who wait goes; 0 when nobody does."""
        is_ahead = (self._mine, table.c.starts_at_ms > now_ms)
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(table.c.starts_at_ms), 0)).where(*is_ahead)
        count, last_ms = connection.execute(query).one()
        farthest_ms = now_ms + self._limit.distance_ms * (1 + count // self._limit.calls) + SLACK_MS
        if last_ms <= farthest_ms:
            return last_ms
        # Nobody waits that long: the clock was put back. Calls by the old one count as made now.
        is_wrong = (self._mine, table.c.starts_at_ms > farthest_ms)
        connection.execute(sa.update(table).where(*is_wrong).values(starts_at_ms=now_ms))
        return 0

    def _earliest_ms(self, connection: sa.Connection, *, before: int | None = None, without: str = "") -> int:
        """When the slots up to `before` allow another one."""
        query = sa.select(table.c.starts_at_ms).where(self._mine, table.c.id != without)
        if before is not None:
            query = query.where(table.c.starts_at_ms <= before)
        latest = query.order_by(table.c.starts_at_ms.desc()).offset(self._limit.calls - 1).limit(1)
        found = connection.scalar(latest)
        return 0 if found is None else found + self._limit.distance_ms


async def forget_slots(database: Database, connection_id: str) -> None:
    """Remove the slots of a connection that is no more."""
    remove = sa.delete(table).where(table.c.connection_id == connection_id)
    await database.write(lambda connection: connection.execute(remove))


def _now_ms(connection: sa.Connection) -> int:
    if connection.dialect.name == "postgresql":
        # Several machines may share the server; its clock is one.
        return connection.execute(sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")).scalar_one()
    return int(time() * 1000)
