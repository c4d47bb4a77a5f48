"""Asks for jobs: the row is written in the caller's transaction, so object and job cannot be out of step."""

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.jobs.protocols import NewJob
from smalt.store.tables import jobs as table
from smalt.store.upserting import insert_missing


class JobQueue:
    """Puts jobs where a runner finds them. Cheap to make; the durable machinery is in the runner's process."""

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

    def cancel(self, connection: sa.Connection, job_id: str) -> None:
        """Ask for the end of a job within a write; one that has ended stays as it is."""
        connection.execute(sa.update(table).where(table.c.id == job_id, table.c.finished_at.is_(None)).values(wanted="cancel"))

    def wake(self) -> None:
        """Tell the runner that there is something to do, after the write; without this it finds out by itself."""
