"""DBOS, as far as Smalt uses it: queued workflows by id, steps by name, recovery by runner."""

import asyncio
import contextvars
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import error as dbos_errors
from sqlalchemy.engine import URL
from sqlalchemy.event import listen

from smalt.store.connecting import connect, database_url, make_private

T = TypeVar("T")

SCHEMA = "smalt_jobs"
VERSION = "1"
"""DBOS gives work to runners of the same version only; ours find steps by name, so every Smalt may go on with it."""

QUEUE_POLL_SECONDS = 0.25
CONNECTIONS = 5
FROZEN_SECONDS = 15.0
"""What a runner that froze amid a transaction has locked in PostgreSQL is free again after this time."""

State = Literal["missing", "waiting", "running", "stopped", "ended"]
STATES: Mapping[str, State] = {
    "ENQUEUED": "waiting",
    "DELAYED": "waiting",
    "PENDING": "running",
    "CANCELLED": "stopped",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "stopped",
}
"""What DBOS calls it, and what it means here; everything else has ended."""

Work = Callable[[str], Coroutine[Any, Any, None]]


class OwnershipLost(Exception):
    """Another runner has taken the job over."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A workflow that DBOS believes to be running, and the runner that it believes to run it."""

    id: str
    runner: str


class Durable:
    """DBOS in this process; there can be one only."""

    def __init__(self, database: Path | URL, runner: str, work: Work) -> None:
        _quiet()
        DBOS(config=_config(database, runner))

        async def job(workflow_id: str) -> None:
            await work(workflow_id)

        # Jobs decide by themselves when they were begun too often.
        self._workflow = DBOS.workflow(name="job", max_recovery_attempts=None)(job)

    async def launch(self, queues: Mapping[str, int]) -> None:
        """Begin to work on the jobs of these queues, so many of each at once over all runners."""
        # Called on the event loop, because DBOS runs workflows on the loop that launched it.
        DBOS.listen_queues(list(queues))
        DBOS.launch()
        for name, at_once in queues.items():
            await DBOS.register_queue_async(
                name,
                global_concurrency=at_once,
                polling_interval_sec=QUEUE_POLL_SECONDS,
                on_conflict="always_update",
            )

    async def enqueue(self, queue: str, workflow_id: str) -> None:
        """Let a workflow of this id be run; one that exists stays as it is."""

        async def enqueue() -> None:
            with SetWorkflowID(workflow_id):
                await DBOS.enqueue_workflow_async(queue, self._workflow, workflow_id)

        await _outside(enqueue())

    async def resume(self, queue: str, workflow_id: str) -> None:
        """Let a stopped workflow go on; one that runs is taken from its runner."""
        await _outside(DBOS.resume_workflow_async(workflow_id, queue_name=queue))

    async def stop(self, workflow_id: str) -> None:
        """Take a workflow out of its queue and away from its runner; it can be resumed."""
        if await self.states([workflow_id]):
            await _outside(DBOS.cancel_workflow_async(workflow_id))

    async def forget(self, workflow_ids: Sequence[str]) -> None:
        """Remove every record of these workflows."""
        await _outside(DBOS.delete_workflows_async(list(workflow_ids)))

    async def recover(self, runner: str) -> None:
        """Give everything that this runner was running back to its queue; doing so again changes nothing."""
        # The function behind it is not an async one, and must not meet the event loop.
        await asyncio.to_thread(contextvars.Context().run, DBOS._recover_pending_workflows, [runner])  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] it has no public name

    async def states(self, workflow_ids: Sequence[str]) -> dict[str, State]:
        """How these workflows stand; the missing ones are missing."""
        if not workflow_ids:
            return {}
        found = await _outside(
            DBOS.list_workflows_async(workflow_ids=list(workflow_ids), load_input=False, load_output=False)
        )
        return {item.workflow_id: STATES.get(item.status, "ended") for item in found}

    async def running(self) -> list[Claimed]:
        """Every workflow that a runner, dead or alive, has begun and not ended."""
        found = await _outside(DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False))
        return [Claimed(item.workflow_id, item.executor_id or "") for item in found]

    async def recorded_steps(self, workflow_id: str) -> dict[str, Any]:
        """The results that were recorded, by the steps' names; called in the workflow, before its first step.

        DBOS finds a step's result by its number. A handler that looks at the database may do its steps in another
        order after a kill, so numbers that are taken are passed over, and results are found by name instead.
        """
        steps = await _outside(DBOS.list_workflow_steps_async(workflow_id))
        last = max((step["function_id"] for step in steps), default=0)
        while last > 0 and DBOS.reserve_step().step_id < last:
            pass
        return {step["function_name"]: step["output"] for step in steps if step["error"] is None}

    async def record(self, name: str, result: T) -> T:
        """Record a step's result, in its workflow; raises `OwnershipLost` when the workflow is another runner's."""

        async def known() -> T:
            return result

        try:
            return await DBOS.run_step_async({"name": name}, known)
        except dbos_errors.DBOSWorkflowConflictIDError as error:
            raise OwnershipLost from error


def _config(database: Path | URL, runner: str) -> DBOSConfig:
    return {
        "name": "smalt",
        **_place(database),
        "dbos_system_schema": SCHEMA,
        "executor_id": runner,
        "application_version": VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "sys_db_pool_size": CONNECTIONS,
        "sys_db_idle_transaction_timeout_sec": FROZEN_SECONDS,
        "use_listen_notify": False,
        "log_level": "WARNING",
        "scheduler_polling_interval_sec": 3600.0,
    }


def _place(database: Path | URL) -> DBOSConfig:
    if isinstance(database, Path):
        return {"system_database_engine": _file_engine(database)}
    return {"system_database_url": database.render_as_string(hide_password=False)}


def _file_engine(path: Path) -> sa.Engine:
    """Our way with SQLite: a transaction has its lock from the start.

    DBOS's own engine takes it at the first write, so that two runners may both count one job too few in a queue, and
    both begin another.
    """
    make_private(path)
    engine = connect(database_url(path), "write", connections=CONNECTIONS)
    listen(engine, "before_cursor_execute", _begin_once, retval=True)
    return engine


def _begin_once(
    _connection: sa.Connection, cursor: sqlite3.Cursor, statement: str, parameters: Any, _context: Any, _many: Any
) -> tuple[str, Any]:
    # DBOS's migrations say it too.
    is_begun = statement == "BEGIN IMMEDIATE" and cursor.connection.in_transaction
    return ("SELECT 1" if is_begun else statement), parameters


def _quiet() -> None:
    """Let DBOS's log lines go where ours go; without a handler of its own it would set up one."""
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    logging.getLogger("dbos").addFilter(lambda record: "task cancelled" not in record.getMessage())


async def _outside(asking: Awaitable[T]) -> T:
    """Ask DBOS something as nobody's step: within a workflow it would record the answer as one."""

    async def ask() -> T:
        return await asking

    return await asyncio.get_running_loop().create_task(ask(), context=contextvars.Context())
