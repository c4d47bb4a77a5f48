"""Runs of connectors' actions as they are kept: made with all their rows, worked on by one at a time, ended once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, Final, Literal, Protocol

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import NotFound
from smalt.store.database import Database
from smalt.store.tables import connector_run_rows as rows
from smalt.store.tables import connector_runs as table
from smalt.store.tables import jobs

JOB_KIND: Final = "connector_run"
JOB_QUEUE: Final = "connectors"
PROJECT: Final = "default"
CHUNK: Final = 1000

Json = dict[str, Any]
RunStatus = Literal["running", "finished", "stopped"]
RowStatus = Literal["pending", "started", "succeeded", "failed", "interrupted"]
UNENDED: Final = ("pending", "started")


class Jobs(Protocol):
    """Where durable jobs are asked for; the room of jobs lies above the store."""

    def ask(self, connection: sa.Connection, job_id: str, *, kind: str, queue: str, project: str) -> None:
        """Ask for a job within a write."""
        ...

    def resume(self, connection: sa.Connection, job_id: str) -> None:
        """Ask a paused job within a write to go on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run; see the table for what each field is."""

    id: str
    connector: str
    action: str
    step: Json
    connection_id: str
    url: str | None = None
    access: bytes | None = None
    access_key_id: str | None = None
    concurrency: int = 1
    source: str | None = None
    columns: Sequence[str] = ()
    output: Json
    total: int = 0
    status: RunStatus = "running"
    error: str | None = None
    job_id: str | None = None
    worker: str | None = None
    created_at: int
    finished_at: int | None = None


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to be worked on; one with a fault cannot be, and says why."""

    input: Json
    fault: str | None = None


class ConnectorRuns:
    """The runs in a database."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    async def add(self, run: StoredRun, given: Iterable[NewRow]) -> int:
        """Keep a run with its rows, and its job if it names one, all or nothing; returns how many rows it has."""
        all_rows = list(given)

        def insert(connection: sa.Connection) -> int:
            values = _values(run) | {"total": len(all_rows)}
            sequence: int = connection.execute(sa.insert(table).values(values).returning(table.c.sequence)).scalar_one()
            numbered = (_row(sequence, position, row) for position, row in enumerate(all_rows))
            while chunk := list(islice(numbered, CHUNK)):
                connection.execute(sa.insert(rows), chunk)
            if run.job_id is not None:
                self._ask(connection, run.job_id)
            return len(all_rows)

        return await self._database.write(insert)

    async def get(self, run_id: str) -> StoredRun:
        """A run by its id, or by the beginning of it that no other has; raises `NotFound`."""

        def read(connection: sa.Connection) -> StoredRun:
            query = sa.select(table).where(table.c.id.startswith(run_id, autoescape=True)).limit(2)
            found = connection.execute(query).all()
            exact = [row for row in found if row.id == run_id] or found
            if len(exact) != 1:
                raise NotFound(f"There is no run '{run_id}'. smalt connectors runs shows them.", param="run")
            return _stored(exact[0])

        return await self._database.read(read)

    async def of_job(self, job_id: str) -> StoredRun | None:
        """The run that a job works on; None when it has another job by now, or is forgotten."""
        query = sa.select(table).where(table.c.job_id == job_id)

        def read(connection: sa.Connection) -> StoredRun | None:
            row = connection.execute(query).one_or_none()
            return None if row is None else _stored(row)

        return await self._database.read(read)

    async def list(self, limit: int) -> list[StoredRun]:
        """The newest runs, the newest first."""
        query = sa.select(table).order_by(table.c.sequence.desc()).limit(limit)
        return await self._database.read(lambda connection: [_stored(row) for row in connection.execute(query)])

    async def counts(self, run_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """How many rows of each run stand how."""
        query = (
            sa.select(table.c.id, rows.c.status, sa.func.count())
            .join(rows, rows.c.run == table.c.sequence)
            .where(table.c.id.in_(run_ids))
            .group_by(table.c.id, rows.c.status)
        )

        def read(connection: sa.Connection) -> dict[str, dict[str, int]]:
            found: dict[str, dict[str, int]] = {run_id: {} for run_id in run_ids}
            for run_id, status, count in connection.execute(query):
                found[run_id][status] = count
            return found

        return await self._database.read(read)

    async def job_status(self, job_id: str | None) -> str | None:
        """How a job stands; None when there is none, or no longer. One that is to go on does not rest."""
        goes_on = sa.and_(jobs.c.status == "paused", jobs.c.wanted == "run")
        query = sa.select(sa.case((goes_on, "queued"), else_=jobs.c.status)).where(jobs.c.id == job_id)
        return await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())

    async def go_on(self, run_id: str, change: Mapping[str, Any], *, again: Sequence[RowStatus] = ()) -> None:
        """Let a run be worked on by its job, or by the one that `change` names.

        Rows that ended as one of `again` are done anew. Failures of the request itself get a new idempotency key: an
        answer that is kept under the old one would be the same.
        """

        def write(connection: sa.Connection) -> None:
            row = connection.execute(sa.select(table).where(table.c.id == run_id)).one()
            for status in again:
                _begin_anew(connection, row.sequence, status)
            values = {"status": "running", "error": None, "finished_at": None, **change}
            connection.execute(sa.update(table).where(table.c.id == run_id).values(values))
            job_id: str = values.get("job_id") or row.job_id
            self._ask(connection, job_id)
            self._jobs.resume(connection, job_id)

        await self._database.write(write)

    async def finish(self, run_id: str) -> bool:
        """End a run whose rows have all ended; False when some have not. Its server's key is forgotten.

        A run that is forgotten has ended too.
        """
        unended = sa.select(rows.c.position).where(rows.c.run == table.c.sequence, rows.c.status.in_(UNENDED))
        values = {"status": "finished", "error": None, "finished_at": now(), "access": None, "access_key_id": None}
        change = sa.update(table).where(table.c.id == run_id, sa.not_(unended.exists())).values(values)
        there = sa.select(table.c.id).where(table.c.id == run_id)

        def write(connection: sa.Connection) -> bool:
            return connection.execute(change).rowcount == 1 or connection.execute(there).first() is None

        return await self._database.write(write)

    async def stop(self, job_id: str, reason: str) -> None:
        """Write down that the job of a run ended before the run did."""
        mine = (table.c.job_id == job_id, table.c.status == "running")
        change = sa.update(table).where(*mine).values(status="stopped", error=reason, finished_at=now())
        await self._database.write(lambda connection: connection.execute(change))

    async def forget(self, run_id: str) -> None:
        """Remove a run, its rows and their results."""
        await self._database.write(lambda connection: connection.execute(sa.delete(table).where(table.c.id == run_id)))

    def _ask(self, connection: sa.Connection, job_id: str) -> None:
        self._jobs.ask(connection, job_id, kind=JOB_KIND, queue=JOB_QUEUE, project=PROJECT)


def _begin_anew(connection: sa.Connection, run: int, status: RowStatus) -> None:
    # Servers do not keep 429 and 5xx, so the old key finds what was done, or nothing.
    is_kept = sa.and_(rows.c.status_code.between(400, 499), rows.c.status_code != 429)  # noqa: PLR2004 - HTTP statuses
    values = {
        "status": "pending",
        "generation": rows.c.generation + sa.case((is_kept, 1), else_=0),
        "error": None,
        "status_code": None,
    }
    connection.execute(sa.update(rows).where(rows.c.run == run, rows.c.status == status).values(values))


def _row(run: int, position: int, row: NewRow) -> Json:
    return {
        "run": run,
        "position": position,
        "input": row.input,
        "fault": row.fault,
        "status": "pending",
        "attempt": 0,
        "generation": 0,
        "is_repeatable": True,
    }


def _values(run: StoredRun) -> Json:
    return {field.name: getattr(run, field.name) for field in fields(run)} | {"columns": list(run.columns)}


def _stored(row: sa.Row[Any]) -> StoredRun:
    return StoredRun(**{field.name: getattr(row, field.name) for field in fields(StoredRun)})
