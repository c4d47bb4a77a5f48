"""The rows of a run while they are worked on: begun before their call, ended once, never lost.

A run has one worker. Another that takes its place makes the first one's further steps fail (`TakenOver`), but what the
first one's calls brought is still taken: it was paid for.
"""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from smalt.store.connector_runs import Json, RowStatus
from smalt.store.database import Database
from smalt.store.tables import connector_run_rows as table
from smalt.store.tables import connector_runs as runs

LOST: Final = (
    "The work on this row was broken off after its call was sent, so it may have been done, and paid. Look there "
    "before you make it again."
)


class TakenOver(Exception):
    """Another worker has the run now."""


class RowEnded(Exception):
    """The row has ended: the answer to an earlier worker's call came after all."""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A row that is to be worked on."""

    position: int
    input: Json
    fault: str | None
    attempt: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a row ended."""

    status: RowStatus
    result: bytes | None = None
    status_code: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EndedRow:
    """A row as it stands, for those who read results."""

    position: int
    input: Json
    status: RowStatus
    result: bytes | None
    status_code: int | None
    error: str | None


class ConnectorRunRows:
    """The rows of one run, in the hands of one worker."""

    def __init__(self, database: Database, run_id: str, worker: str) -> None:
        self._database = database
        self._run_id = run_id
        self._worker = worker

    async def take_over(self) -> None:
        """Become the run's worker. Rows whose work was broken off wait again, or are interrupted for good."""

        def write(connection: sa.Connection) -> None:
            connection.execute(sa.update(runs).where(runs.c.id == self._run_id).values(worker=self._worker))
            begun = (table.c.run == self._sequence, table.c.status == "started")
            connection.execute(sa.update(table).where(*begun, table.c.is_repeatable).values(status="pending"))
            lost = {"status": "interrupted", "error": LOST}
            connection.execute(sa.update(table).where(*begun).values(lost))

        await self._database.write(write)

    async def waiting(self, after: int, limit: int) -> list[WaitingRow]:
        """The next rows to be worked on behind a position."""
        columns = (table.c.position, table.c.input, table.c.fault, table.c.attempt, table.c.generation)
        where = (table.c.run == self._sequence, table.c.status == "pending", table.c.position > after)
        query = sa.select(*columns).where(*where).order_by(table.c.position).limit(limit)
        return await self._database.read(lambda connection: [WaitingRow(*row) for row in connection.execute(query)])

    async def start(self, position: int, attempt: int, *, is_repeatable: bool) -> None:
        """Write down that a call goes out now; raises `TakenOver` or `RowEnded` when it must not."""
        values = {"status": "started", "attempt": attempt, "is_repeatable": is_repeatable}
        await self._change(position, table.c.status == "pending", values)

    async def put_back(self, position: int, attempt: int) -> None:
        """Write down that a call brought nothing, and is to be made again later."""
        mine = sa.and_(table.c.status == "started", table.c.attempt == attempt)
        await self._change(position, mine, {"status": "pending"})

    async def end(self, position: int, attempt: int, ending: Ending) -> None:
        """Write down how the row ended; a row that ended meanwhile stays as it is.

        A result is taken from an earlier attempt too, a failure is not: a later one may be out, and bring a result.
        """
        is_current = sa.true() if ending.status == "succeeded" else table.c.attempt <= attempt
        is_open = sa.or_(
            sa.and_(table.c.status.in_(("pending", "started")), is_current),
            # Given up for lost by a later worker, and not lost after all.
            sa.and_(table.c.status == "interrupted", table.c.attempt == attempt),
        )
        values = {
            "status": ending.status,
            "result": ending.result,
            "status_code": ending.status_code,
            "error": ending.error,
        }
        change = sa.update(table).where(*self._row(position), is_open).values(values)
        await self._database.write(lambda connection: connection.execute(change))

    async def _change(self, position: int, condition: sa.ColumnElement[bool], values: Json) -> None:
        mine = sa.select(runs.c.id).where(runs.c.id == self._run_id, runs.c.worker == self._worker)
        change = sa.update(table).where(*self._row(position), condition).values(values)

        def write(connection: sa.Connection) -> None:
            if connection.execute(mine).first() is None:
                raise TakenOver
            if connection.execute(change).rowcount == 0:
                raise RowEnded

        await self._database.write(write)

    def _row(self, position: int) -> tuple[sa.ColumnElement[bool], ...]:
        return table.c.run == self._sequence, table.c.position == position

    @property
    def _sequence(self) -> sa.ScalarSelect[Any]:
        return _sequence_of(self._run_id)


async def ended_rows(database: Database, run_id: str, after: int, limit: int) -> list[EndedRow]:
    """The next rows of a run behind a position, in their order, however they stand."""
    columns = (
        table.c.position,
        table.c.input,
        table.c.status,
        table.c.result,
        table.c.status_code,
        sa.func.coalesce(table.c.error, table.c.fault),
    )
    where = (table.c.run == _sequence_of(run_id), table.c.position > after)
    query = sa.select(*columns).where(*where).order_by(table.c.position).limit(limit)
    return await database.read(lambda connection: [EndedRow(*row) for row in connection.execute(query)])


def _sequence_of(run_id: str) -> sa.ScalarSelect[Any]:
    return sa.select(runs.c.sequence).where(runs.c.id == run_id).scalar_subquery()
