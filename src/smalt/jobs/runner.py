"""Works on jobs: begins an attempt, watches over it, and writes down how it ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import URL

from smalt.core.errors import ApiError
from smalt.jobs.context import RunningContext
from smalt.jobs.durable import Durable
from smalt.jobs.protocols import Handler, JobStopped, NewJob
from smalt.jobs.rows import Claim, JobRows, Stop
from smalt.store.database import Database

logger = logging.getLogger(__name__)

CANCELLED = "It was cancelled."
RETRY_SECONDS = (0.5, 30.0)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A handler at work."""

    context: RunningContext
    task: asyncio.Task[None]

    def end(self, stop: Stop) -> None:
        """Make it stop now; a handler that goes on all the same is asked again by the next look."""
        self.context.stop = self.context.stop or stop
        self.task.cancel()


class Runner:
    """The jobs of this process."""

    def __init__(
        self, runner: str, database: Database, durable_database: Path | URL, handlers: Iterable[Handler], attempts: int
    ) -> None:
        self.id = runner
        self.rows = JobRows(database, runner)
        self.durable = Durable(durable_database, runner, self._work)
        self.handlers: Mapping[str, Handler] = {handler.kind: handler for handler in handlers}
        self.active: set[str] = set()
        self._most_attempts = attempts
        self._attempts: dict[str, Attempt] = {}
        self._is_closing = False
        self._is_idle = asyncio.Event()

    async def obey(self) -> None:
        """Stop the jobs that are to stop."""
        stops = await self.rows.stops([attempt.context.claim for attempt in self._attempts.values()])
        for job_id, stop in stops.items():
            if job_id in self._attempts:
                self._attempts[job_id].end(stop)

    async def shut_down(self, seconds: float) -> None:
        """Stop every job so that another runner goes on with it."""
        self._is_closing = True
        for attempt in self._attempts.values():
            attempt.end("shutdown")
        if not self.active:
            self._is_idle.set()
        # Their workflows write down that they may go on elsewhere.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_idle.wait(), seconds)

    async def cancel_waiting(self, job: NewJob) -> None:
        """End a job that nobody works on."""
        await self.durable.stop(job.id)
        await self._tell(job, "cancelled", CANCELLED)
        await self.rows.end_waiting(job.id, CANCELLED)

    async def pause_waiting(self, job_id: str) -> None:
        """Let a job rest that has not begun."""
        await self.durable.stop(job_id)
        await self.rows.rest_waiting(job_id)

    async def _work(self, job_id: str) -> None:
        """The workflow; it is cancelled rather than ended when the job has not ended, so that it can go on."""
        self.active.add(job_id)
        try:
            has_ended = await self._attempt(job_id)
        except Exception:
            logger.exception("a job could not be run", extra={"job": job_id})
            has_ended = False
        finally:
            self.active.discard(job_id)
            if self._is_closing and not self.active:
                self._is_idle.set()
        if not has_ended:
            raise asyncio.CancelledError

    async def _attempt(self, job_id: str) -> bool:
        """Begin the job and see it through; whether it has ended."""
        if self._is_closing:
            return False
        claim = await self.rows.begin(job_id)
        if isinstance(claim, Claim):
            return await self._see_through(claim)
        # Whoever wanted it paused or cancelled finds it waiting, and sees to the rest.
        if claim in {"pause", "cancel"}:
            await self.durable.stop(job_id)
        return claim == "ended"

    async def _see_through(self, claim: Claim) -> bool:
        handler = self.handlers.get(claim.job.kind)
        if handler is None:
            return await self._fail(claim, f"This Smalt does not know jobs of the kind '{claim.job.kind}'.")
        if claim.attempt > self._most_attempts:
            return await self._fail(
                claim, f"It was begun {self._most_attempts} times and never ended. Look for crashes in the log."
            )
        context = RunningContext(claim, self.rows, self.durable, await self.durable.recorded_steps(claim.job.id))
        attempt = Attempt(context, asyncio.create_task(handler.run(context)))
        self._attempts[claim.job.id] = attempt
        try:
            await asyncio.wait([attempt.task])
        finally:
            attempt.task.cancel()
            del self._attempts[claim.job.id]
        return await self._conclude(attempt)

    async def _conclude(self, attempt: Attempt) -> bool:
        claim, stop = attempt.context.claim, attempt.context.stop
        error = _failure(attempt)
        if error is None:
            return await self.rows.finish(claim, "succeeded", None)
        if stop is None:
            logger.error("a job failed", extra={"job": claim.job.id, "kind": claim.job.kind}, exc_info=error)
            return await self._fail(claim, _reason(error))
        return await self._stopped(claim, stop)

    async def _stopped(self, claim: Claim, stop: Stop) -> bool:
        if stop == "cancel":
            await self._tell(claim.job, "cancelled", CANCELLED)
            return await self.rows.finish(claim, "cancelled", CANCELLED)
        if stop == "pause":
            # In this order a kill in between leaves a job that looks alive, which is found and queued again.
            await self.durable.stop(claim.job.id)
            await self.rows.rest(claim)
        if stop == "shutdown":
            await self.rows.give_back(claim)
        return False

    async def _fail(self, claim: Claim, reason: str) -> bool:
        await self._tell(claim.job, "failed", reason)
        return await self.rows.finish(claim, "failed", reason)

    async def _tell(self, job: NewJob, status: Literal["failed", "cancelled"], reason: str) -> None:
        """Let the handler tell the object, however long that takes: the job has not ended before."""
        handler = self.handlers.get(job.kind)
        if handler is not None:
            await _until_done(lambda: handler.ended_early(job, status, reason), job)


async def _until_done(work: Callable[[], Awaitable[None]], job: NewJob) -> None:
    seconds, most_seconds = RETRY_SECONDS
    while True:
        try:
            return await work()
        except Exception:
            logger.exception("the end of a job could not be written down", extra={"job": job.id, "kind": job.kind})
        await asyncio.sleep(seconds)
        seconds = min(most_seconds, seconds * 2)


def _failure(attempt: Attempt) -> BaseException | None:
    if attempt.task.cancelled():
        return asyncio.CancelledError()
    error = attempt.task.exception()
    if isinstance(error, JobStopped) and attempt.context.stop is None:
        return RuntimeError("The handler stopped by itself.")
    return error


def _reason(error: BaseException) -> str:
    if isinstance(error, ApiError):
        return error.message
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
