"""Does what is asked of jobs that nobody works on: hands them to DBOS, lets them rest, ends them."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from smalt.jobs.protocols import NewJob
from smalt.jobs.runner import Runner

logger = logging.getLogger(__name__)


class Dispatcher:
    """The way from the table to DBOS."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._rows = runner.rows
        self._durable = runner.durable
        self._ending: dict[str, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Do what is asked now."""
        kinds = list(self._runner.handlers)
        waiting = await self._rows.waiting(kinds)
        for job_id in waiting.resumed:
            await self._rows.wake_up(job_id)
        if waiting.resumed:
            waiting = await self._rows.waiting(kinds)
        for job in waiting.cancelled:
            self._begin(job.id, self._runner.cancel_waiting(job))
        for job_id in waiting.paused:
            self._begin(job_id, self._runner.pause_waiting(job_id))
        await self._dispatch(waiting.undispatched)

    def _begin(self, job_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Do it beside the others, which must not wait for one that takes long."""
        if job_id in self._ending:
            work.close()
            return

        async def end() -> None:
            try:
                await work
            except Exception:
                logger.exception("a job could not be paused or cancelled", extra={"job": job_id})
            finally:
                del self._ending[job_id]

        self._ending[job_id] = asyncio.create_task(end())

    async def _dispatch(self, jobs: Sequence[NewJob]) -> None:
        """Hand jobs over. Who is killed in between leaves a job that DBOS does not have; recovery finds it."""
        states = await self._durable.states([job.id for job in jobs])
        for job in jobs:
            if not await self._rows.dispatch(job.id):
                continue
            state = states.get(job.id, "missing")
            if state == "stopped":
                await self._durable.resume(job.queue, job.id)
                continue
            if state == "ended":
                # It ended for DBOS and not for the table: a database was put back from a copy. It begins anew.
                await self._durable.forget([job.id])
            await self._durable.enqueue(job.queue, job.id)
