"""The job `connector_run`: works on a run's rows, and goes on with them after a kill."""

import asyncio
from contextlib import suppress
from typing import Final, Literal

from smalt.connectors.runs.each import work_on_rows
from smalt.connectors.runs.journal import Journal
from smalt.connectors.runs.reaching import reaching
from smalt.connectors.runs.steps import Step
from smalt.core.settings import Settings
from smalt.jobs.protocols import JobContext, NewJob
from smalt.jobs.queue import JobQueue
from smalt.store.connector_run_rows import TakenOver
from smalt.store.connector_runs import JOB_KIND, JOB_QUEUE, ConnectorRuns, StoredRun
from smalt.store.database import Database

REPORT_SECONDS: Final = 2.0


class ConnectorRunHandler:
    """Works on runs; what became of each row is in the database, so it may begin again at any time."""

    kind = JOB_KIND
    queue = JOB_QUEUE

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._runs = ConnectorRuns(database, JobQueue())

    async def run(self, context: JobContext) -> None:
        """Work on the rows that are left; a run that is forgotten or has another job needs nothing more."""
        run = await self._runs.of_job(context.id)
        if run is None:
            return
        reporting = asyncio.create_task(self._report(context, run))
        try:
            await self._work(run)
        except TakenOver:
            # Another runner has the job, and this one hears of it in a moment.
            await asyncio.Event().wait()
        finally:
            reporting.cancel()
            with suppress(asyncio.CancelledError):
                await reporting
        await self._tell(context, run)

    async def ended_early(self, job: NewJob, status: Literal["failed", "cancelled"], reason: str) -> None:
        """Say that the run has stopped, and why."""
        await self._runs.stop(job.id, reason if status == "failed" else "It was cancelled.")

    async def _work(self, run: StoredRun) -> None:
        step = Step.of_json(run.step)
        async with reaching(self._settings, self._database, run) as reach:
            is_done = False
            # Rows that are to be done anew may come in behind the ones that were reached.
            while not is_done:
                await work_on_rows(step, reach, Journal(self._database, run), run.concurrency)
                is_done = await self._runs.finish(run.id)

    async def _report(self, context: JobContext, run: StoredRun) -> None:
        while True:
            await self._tell(context, run)
            await asyncio.sleep(REPORT_SECONDS)

    async def _tell(self, context: JobContext, run: StoredRun) -> None:
        counts = await self._runs.counts([run.id])
        await context.report({"rows": run.total, **counts[run.id]})
