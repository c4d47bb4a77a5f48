"""Sweeps when they are due. When each began last is kept in the database, so runners do not sweep one after another."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.jobs.protocols import Sweep
from smalt.store.database import Database
from smalt.store.tables import job_sweeps as table
from smalt.store.upserting import insert_missing

logger = logging.getLogger(__name__)

Due = Callable[[sa.Connection], int | None]
"""Says since when, or from when on, there is something to sweep; None when there is nothing."""


def always(_connection: sa.Connection) -> int:
    """There is always something to sweep."""
    return 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a sweep is needed; one that leaves something over has to wait for `seconds`."""

    name: str
    seconds: float
    due: Due = always


@dataclass(frozen=True, slots=True)
class Planned:
    """When a sweep begins next, and when it began last."""

    name: str
    at: int
    began_at: int


class Sweeper:
    """The sweeps of one runner."""

    def __init__(self, database: Database, sweeps: Sequence[tuple[Schedule, Sweep]]) -> None:
        self.schedules = [schedule for schedule, _ in sweeps]
        self._database = database
        self._sweeps = {schedule.name: sweep for schedule, sweep in sweeps}
        self._at_work: dict[str, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Begin the sweeps that are due, unless another runner has just begun them."""
        moment = now()
        for planned in await self._database.read(lambda connection: plan(connection, self.schedules)):
            name = planned.name
            if planned.at <= moment and name not in self._at_work and await self._claim(planned, moment):
                self._at_work[name] = asyncio.create_task(self._run(name))

    async def shut_down(self) -> None:
        """Stop sweeping; what is left is swept another time."""
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, name: str) -> None:
        try:
            await self._sweeps[name].sweep()
        except Exception:
            logger.exception("a sweep failed", extra={"sweep": name})
        finally:
            del self._at_work[name]

    async def _claim(self, planned: Planned, moment: int) -> bool:
        def claim(connection: sa.Connection) -> bool:
            insert_missing(connection, table, row={"name": planned.name, "began_at": 0})
            unclaimed = (table.c.name == planned.name, table.c.began_at == planned.began_at)
            return connection.execute(sa.update(table).where(*unclaimed).values(began_at=moment)).rowcount == 1

        return await self._database.write(claim)


def plan(connection: sa.Connection, schedules: Sequence[Schedule]) -> list[Planned]:
    """When each sweep begins next; those that nothing needs are left out."""
    began = {row.name: row.began_at for row in connection.execute(sa.select(table))}
    planned: list[Planned] = []
    for schedule in schedules:
        since, began_at = schedule.due(connection), began.get(schedule.name, 0)
        if since is not None:
            # What was due at the last sweep, and is due still, has to wait for its turn.
            at = since if since > began_at else began_at + max(1, round(schedule.seconds))
            planned.append(Planned(schedule.name, at, began_at))
    return planned


def next_at(connection: sa.Connection, schedules: Sequence[Schedule]) -> int | None:
    """When the next sweep begins; None when nothing needs one."""
    return min((planned.at for planned in plan(connection, schedules)), default=None)
