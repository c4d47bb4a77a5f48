"""Asks for jobs: the row is written in the caller's transaction, so object and job cannot be out of step."""

from pathlib import Path

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.jobs.protocols import NewJob
from smalt.jobs.waking import wake
from smalt.store.tables import jobs as table
from smalt.store.upserting import insert_missing


class JobQueue:
    """Puts jobs where a runner finds them. Cheap to make; the durable machinery is in the runner's process.

    `wake_path` is where the server listens (`waking.wake_path`); without one, runners find out by themselves.
    """

    def __init__(self, wake_path: Path | None = None) -> None:
        self._wake_path = wake_path

    def put(self, connection: sa.Connection, job: NewJob) -> None:
        """Ask for a job within a write; a job of this id that is there already stays as it is."""
        row = {
            "id": job.id,
            "kind": job.kind,
            "queue": job.queue,
            "project": job.project,
            "input": dict(job.input),
            "wanted": "run",
            "status": "queued",
            "is_dispatched": False,
            "attempts": 0,
            "created_at": now(),
        }
        insert_missing(connection, table, row=row)

    def ask(self, connection: sa.Connection, job_id: str, *, kind: str, queue: str, project: str) -> None:
        """`put` for those below this room, who say all that there is to say in words."""
        self.put(connection, NewJob(job_id, kind, project, queue))

    def cancel(self, connection: sa.Connection, job_id: str) -> None:
        """Ask for the end of a job within a write; one that has ended stays as it is."""
        unfinished = (table.c.id == job_id, table.c.finished_at.is_(None))
        connection.execute(sa.update(table).where(*unfinished).values(wanted="cancel"))

    def pause(self, connection: sa.Connection, job_id: str) -> None:
        """Ask a job within a write to rest until it is resumed; one that has ended or is being cancelled stays."""
        _want(connection, job_id, before="run", after="pause")

    def resume(self, connection: sa.Connection, job_id: str) -> None:
        """Ask a paused job within a write to go on."""
        _want(connection, job_id, before="pause", after="run")

    def wake(self) -> None:
        """Tell the runner that there is something to do, after the write; without this it finds out by itself."""
        if self._wake_path is not None:
            wake(self._wake_path)


def _want(connection: sa.Connection, job_id: str, *, before: str, after: str) -> None:
    unfinished = (table.c.id == job_id, table.c.finished_at.is_(None), table.c.wanted == before)
    connection.execute(sa.update(table).where(*unfinished).values(wanted=after))
