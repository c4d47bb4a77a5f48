"""Forgets jobs that ended long ago, in the table and in DBOS."""

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.jobs.durable import Durable
from smalt.store.database import Database
from smalt.store.tables import jobs as table

BATCH = 500


class OldJobs:
    """A sweep over finished jobs."""

    name = "old-jobs"
    seconds = 3600.0

    def __init__(self, database: Database, durable: Durable, keep_seconds: float) -> None:
        self._database = database
        self._durable = durable
        self._keep_seconds = keep_seconds

    async def sweep(self) -> None:
        """Forget what ended before `keep_seconds`."""
        while job_ids := await self._database.read(self._find):
            # In this order a kill in between leaves rows, which are found again.
            await self._durable.forget(job_ids)
            remove = sa.delete(table).where(table.c.id.in_(job_ids))
            await self._database.write(lambda connection, remove=remove: connection.execute(remove))

    def _find(self, connection: sa.Connection) -> list[str]:
        old = table.c.finished_at <= now() - int(self._keep_seconds)
        return list(connection.execute(sa.select(table.c.id).where(old).limit(BATCH)).scalars())
