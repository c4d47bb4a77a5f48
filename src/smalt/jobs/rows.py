"""The rows of jobs as a runner changes them: each change names the state that it expects to find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.jobs.protocols import NewJob
from smalt.store.database import Database
from smalt.store.tables import job_runners as runners
from smalt.store.tables import jobs as table

BATCH = 100

Stop = Literal["pause", "cancel", "lost", "shutdown"]
"""Why a job that works is to stop: what its owner wants, or what happened to its runner."""

Refusal = Literal["ended", "pause", "cancel", "lost"]
"""Why a job is not begun."""


Ending = Literal["succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A runner's right to work on a job, until another runner begins another attempt."""

    job: NewJob
    runner: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is asked of jobs that no runner works on."""

    undispatched: Sequence[NewJob]
    resumed: Sequence[str]
    paused: Sequence[str]
    cancelled: Sequence[NewJob]


class JobRows:
    """The table of jobs, seen by one runner."""

    def __init__(self, database: Database, runner: str) -> None:
        self._database = database
        self._runner = runner

    async def begin(self, job_id: str) -> Claim | Refusal:
        """Begin another attempt, or say why not."""
        return await self._database.write(lambda connection: _begin(connection, job_id, self._runner))

    async def stops(self, claims: Sequence[Claim]) -> dict[str, Stop]:
        """Which of these jobs must stop, and why."""

        def read(connection: sa.Connection) -> dict[str, Stop]:
            ids = [claim.job.id for claim in claims]
            rows = {row.id: row for row in connection.execute(sa.select(table).where(table.c.id.in_(ids)))}
            stops: dict[str, Stop] = {}
            for claim in claims:
                if stop := _stop(claim, rows.get(claim.job.id)):
                    stops[claim.job.id] = stop
            return stops

        return await self._database.read(read) if claims else {}

    async def report(self, claim: Claim, progress: Mapping[str, Any]) -> None:
        """Write down how far the job is."""
        await self._change(_held(claim), progress=dict(progress))

    async def finish(self, claim: Claim, status: Ending, error: str | None) -> bool:
        """Write down how the job ended; False when it is no longer this runner's."""
        return await self._change(_held(claim), status=status, error=error, finished_at=now())

    async def rest(self, claim: Claim) -> bool:
        """Write down that the job rests until it is resumed."""
        return await self._change(_held(claim), status="paused", runner=None)

    async def give_back(self, claim: Claim) -> bool:
        """Let another runner go on with the job."""
        return await self._change(_held(claim), status="queued", runner=None)

    async def end_waiting(self, job_id: str, error: str) -> bool:
        """Write down that a job was cancelled while nobody worked on it."""
        unworked = (table.c.id == job_id, table.c.status.in_(("queued", "paused")), table.c.wanted == "cancel")
        return await self._change(unworked, status="cancelled", error=error, finished_at=now())

    async def rest_waiting(self, job_id: str) -> bool:
        """Write down that a job rests which had not begun."""
        unworked = (table.c.id == job_id, table.c.status == "queued", table.c.wanted == "pause")
        return await self._change(unworked, status="paused")

    async def wake_up(self, job_id: str) -> bool:
        """Queue a job that rested and is to go on."""
        resting = (table.c.id == job_id, table.c.status == "paused", table.c.wanted == "run")
        return await self._change(resting, status="queued", is_dispatched=False)

    async def dispatch(self, job_id: str) -> bool:
        """Take on the handing over of a job to DBOS; one runner may."""
        unknown = (table.c.id == job_id, table.c.status == "queued", table.c.is_dispatched.is_(False))
        return await self._change(unknown, is_dispatched=True)

    async def undispatch(self, job_id: str) -> bool:
        """Let a queued job be handed over again: DBOS does not have it."""
        queued = (table.c.id == job_id, table.c.status == "queued", table.c.is_dispatched.is_(True))
        return await self._change(queued, is_dispatched=False)

    async def release(self, job_id: str, runner: str) -> bool:
        """Queue a job whose runner no longer works on it."""
        stuck = (table.c.id == job_id, table.c.status == "running", table.c.runner == runner)
        return await self._change(stuck, status="queued", runner=None)

    async def waiting(self, kinds: Sequence[str]) -> Waiting:
        """What there is to do for jobs that no runner works on; of undispatched ones the oldest."""

        def read(connection: sa.Connection) -> Waiting:
            def select(*where: sa.ColumnElement[bool]) -> list[NewJob]:
                query = sa.select(table).where(table.c.kind.in_(kinds), *where)
                rows = connection.execute(query.order_by(table.c.created_at, table.c.id).limit(BATCH))
                return [_job(row) for row in rows]

            queued, paused = table.c.status == "queued", table.c.status == "paused"
            return Waiting(
                undispatched=select(queued, table.c.wanted == "run", table.c.is_dispatched.is_(False)),
                resumed=[job.id for job in select(paused, table.c.wanted == "run")],
                paused=[job.id for job in select(queued, table.c.wanted == "pause")],
                cancelled=select(table.c.status.in_(("queued", "paused")), table.c.wanted == "cancel"),
            )

        return await self._database.read(read)

    async def dispatched(self) -> list[str]:
        """The queued jobs that DBOS should have, the oldest of them."""
        queued = (table.c.status == "queued", table.c.is_dispatched.is_(True), table.c.wanted == "run")
        query = sa.select(table.c.id).where(*queued).order_by(table.c.created_at, table.c.id).limit(10 * BATCH)
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))

    async def running(self) -> dict[str, str]:
        """The jobs that are running, and by whose hand."""

        def read(connection: sa.Connection) -> dict[str, str]:
            query = sa.select(table.c.id, table.c.runner).where(table.c.status == "running")
            return {row.id: row.runner or "" for row in connection.execute(query)}

        return await self._database.read(read)

    async def queue_of(self, job_id: str) -> str | None:
        """The queue that a job belongs to."""
        query = sa.select(table.c.queue).where(table.c.id == job_id)
        return await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())

    async def _change(self, where: Sequence[sa.ColumnElement[bool]], **values: Any) -> bool:
        statement = sa.update(table).where(*where).values(values)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount == 1)


def is_unfinished(connection: sa.Connection) -> bool:
    """Whether a runner has anything to do: a job that has not ended and does not rest."""
    resting = sa.and_(table.c.status == "paused", table.c.wanted == "pause")
    query = sa.select(table.c.id).where(table.c.finished_at.is_(None), sa.not_(resting)).limit(1)
    return connection.execute(query).first() is not None


def _begin(connection: sa.Connection, job_id: str, runner: str) -> Claim | Refusal:
    if connection.execute(sa.select(runners.c.id).where(runners.c.id == runner)).first() is None:
        return "lost"
    row = connection.execute(sa.select(table).where(table.c.id == job_id)).one_or_none()
    if row is None or row.finished_at is not None:
        return "ended"
    if row.wanted != "run":
        return row.wanted
    values = {
        "status": "running",
        "runner": runner,
        "attempts": row.attempts + 1,
        "started_at": row.started_at or now(),
    }
    untouched = (table.c.id == job_id, table.c.attempts == row.attempts, table.c.finished_at.is_(None))
    if connection.execute(sa.update(table).where(*untouched).values(values)).rowcount == 0:
        return "lost"
    return Claim(_job(row), runner, row.attempts + 1)


def _stop(claim: Claim, row: sa.Row[Any] | None) -> Stop | None:
    if row is None or row.finished_at is not None or (row.runner, row.attempts) != (claim.runner, claim.attempt):
        return "lost"
    return None if row.wanted == "run" else row.wanted


def _held(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.id == claim.job.id,
        table.c.status == "running",
        table.c.runner == claim.runner,
        table.c.attempts == claim.attempt,
    )


def _job(row: sa.Row[Any]) -> NewJob:
    return NewJob(row.id, row.kind, row.project, row.queue, row.input)
