"""Jobs as those see them who look after a server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.errors import Conflict, NotFound
from smalt.jobs.protocols import JobStatus
from smalt.jobs.queue import JobQueue
from smalt.store.database import Database
from smalt.store.tables import jobs as table


@dataclass(frozen=True, slots=True)
class Job:
    """A job and how it stands; `wanted` is run, pause or cancel."""

    id: str
    kind: str
    queue: str
    project: str
    status: JobStatus
    wanted: str
    attempts: int
    runner: str | None
    progress: Mapping[str, Any] | None
    error: str | None
    input: Mapping[str, Any]
    created_at: int
    started_at: int | None
    finished_at: int | None


class Jobs:
    """Every job of a database."""

    def __init__(self, database: Database, queue: JobQueue) -> None:
        self._database = database
        self._queue = queue

    async def list(self, *, status: str | None, kind: str | None, project: str | None, limit: int) -> list[Job]:
        """The newest jobs that fit, the newest first."""
        wanted = {table.c.status: status, table.c.kind: kind, table.c.project: project}
        query = sa.select(table).where(*(column == value for column, value in wanted.items() if value is not None))
        query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
        return await self._database.read(lambda connection: [_job(row) for row in connection.execute(query).mappings()])

    async def get(self, job_id: str) -> Job:
        """One job; raises `NotFound`."""
        return await self._database.read(lambda connection: _find(connection, job_id))

    async def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job; `Conflict` when it has ended."""
        return await self._ask(job_id, self._queue.cancel)

    async def pause(self, job_id: str) -> Job:
        """Ask a job to rest; `Conflict` when it has ended or is being cancelled."""
        return await self._ask(job_id, self._queue.pause)

    async def resume(self, job_id: str) -> Job:
        """Ask a paused job to go on; `Conflict` when it has ended or is being cancelled."""
        return await self._ask(job_id, self._queue.resume)

    async def _ask(self, job_id: str, ask: Callable[[sa.Connection, str], None]) -> Job:
        def write(connection: sa.Connection) -> Job:
            job = _find(connection, job_id)
            if job.finished_at is not None:
                raise Conflict(f"The job '{job_id}' has ended already: it {_ended(job)}.")
            if job.wanted == "cancel" and ask != self._queue.cancel:
                raise Conflict(f"The job '{job_id}' is being cancelled.")
            ask(connection, job_id)
            return _find(connection, job_id)

        job = await self._database.write(write)
        self._queue.wake()
        return job


def _find(connection: sa.Connection, job_id: str) -> Job:
    row = connection.execute(sa.select(table).where(table.c.id == job_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(
            f"There is no job '{job_id}'. `smalt jobs list` shows them; finished ones are forgotten after a while.",
            param="job_id",
        )
    return _job(row)


def _ended(job: Job) -> str:
    return "was cancelled" if job.status == "cancelled" else job.status


def _job(row: sa.RowMapping) -> Job:
    return Job(**{name: value for name, value in row.items() if name != "is_dispatched"})
