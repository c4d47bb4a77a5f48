"""The runner's day: look for jobs, obey, sweep, show that it lives, take over from the dead; end when idle."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL

from smalt.core.clock import now
from smalt.core.settings import Settings
from smalt.jobs.dispatching import Dispatcher
from smalt.jobs.forgetting import OldJobs
from smalt.jobs.protocols import Handler, Sweep
from smalt.jobs.recovery import Recovery
from smalt.jobs.registry import Registry, RunnerLock, new_runner_id
from smalt.jobs.rows import is_unfinished
from smalt.jobs.runner import Runner
from smalt.jobs.sweeping import Schedule, Sweeper, next_at
from smalt.store.connecting import make_private
from smalt.store.database import Database

logger = logging.getLogger(__name__)

MOST_BEAT_SECONDS = 5.0
SHUT_DOWN_SECONDS = 2.0
DEFAULT_QUEUE = "default"
DEFAULT_AT_ONCE = 4
CONNECTORS_AT_ONCE = 4


class JobService:
    """One runner of jobs, from start to end; `sign` is called again and again, as long as its event loop runs."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        durable_database: Path | URL,
        handlers: Sequence[Handler],
        schedules: Sequence[Schedule],
        sweeps: Sequence[Sweep],
        *,
        sign: Callable[[], object] = lambda: None,
    ) -> None:
        self._settings = settings.jobs
        self._database = database
        self._folder = settings.data_dir / "run" / "runners"
        if isinstance(durable_database, Path):
            _prepare(durable_database)
        self._id = new_runner_id()
        self._runner = Runner(self._id, database, durable_database, handlers, settings.jobs.attempts)
        self._registry = Registry(database, self._folder, self._id, settings.jobs.silence_seconds)
        self._dispatcher = Dispatcher(self._runner)
        self._recovery = Recovery(self._runner, self._registry)
        old_jobs = OldJobs(database, self._runner.durable, settings.jobs.keep_days * 86_400)
        self._sweeper = Sweeper(database, _scheduled([*sweeps, old_jobs], schedules))
        self._queues = _queues(settings, {handler.queue for handler in handlers})
        self._beat_seconds = min(MOST_BEAT_SECONDS, settings.jobs.silence_seconds / 4)
        self._sign = sign
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._is_well = True

    def wake(self) -> None:
        """There is something to do."""
        self._woken.set()

    def stop(self) -> None:
        """End soon; what runs is left to another runner."""
        self._stopping.set()
        self._woken.set()

    async def run(self) -> bool:
        """Work until told to stop or nothing is left to do; False when others took this runner for dead."""
        lock = RunnerLock(self._folder, self._id)
        await self._registry.enter()
        await self._runner.durable.launch(self._queues)
        logger.info("the job runner is ready", extra={"runner": self._id})
        loops = [
            asyncio.create_task(self._again_and_again(self._show_life, self._beat_seconds)),
            asyncio.create_task(self._again_and_again(self._beat, self._beat_seconds)),
            asyncio.create_task(self._again_and_again(self._recovery.look, self._beat_seconds)),
        ]
        await self._look_until_idle()
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await self._sweeper.shut_down()
        if self._is_well:
            await self._runner.shut_down(SHUT_DOWN_SECONDS)
            await self._registry.leave()
        lock.release()
        return self._is_well

    async def _look_until_idle(self) -> None:
        busy_at = time.monotonic()
        while not self._stopping.is_set():
            self._woken.clear()
            await _guarded(self._runner.obey)
            await _guarded(self._dispatcher.look)
            await _guarded(self._sweeper.look)
            if await self._is_busy():
                busy_at = time.monotonic()
            elif time.monotonic() - busy_at >= self._settings.idle_seconds:
                return
            try:
                await asyncio.wait_for(self._woken.wait(), self._settings.poll_seconds)
                busy_at = time.monotonic()
            except TimeoutError:
                continue

    async def _is_busy(self) -> bool:
        soon = now() + self._settings.idle_seconds

        def read(connection: sa.Connection) -> bool:
            at = next_at(connection, self._sweeper.schedules)
            return is_unfinished(connection) or (at is not None and at <= soon)

        return bool(self._runner.active) or await self._database.read(read)

    async def _show_life(self) -> None:
        self._sign()

    async def _beat(self) -> None:
        if not await self._registry.beat():
            logger.error("others took this job runner for dead; it ends", extra={"runner": self._id})
            self._is_well = False
            self.stop()

    async def _again_and_again(self, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        while not self._stopping.is_set():
            await _guarded(work)
            await asyncio.sleep(seconds)


async def _guarded(work: Callable[[], Awaitable[None]]) -> None:
    """Do it; a failure is logged, and the next look tries again."""
    try:
        await work()
    except Exception:
        logger.exception("the job runner could not look after its jobs")


def _queues(settings: Settings, wanted: Collection[str]) -> dict[str, int]:
    """How many jobs of each queue run at once; of queues whose jobs others do, nothing is taken."""
    at_once = {
        DEFAULT_QUEUE: DEFAULT_AT_ONCE,
        "connectors": CONNECTORS_AT_ONCE,
        "ingestion": settings.jobs.ingestion,
        "responses": settings.jobs.responses,
    }
    return {name: number for name, number in at_once.items() if name in wanted}


def _scheduled(sweeps: Sequence[Sweep], schedules: Sequence[Schedule]) -> list[tuple[Schedule, Sweep]]:
    known = {schedule.name: schedule for schedule in schedules}
    return [(known.get(sweep.name) or Schedule(sweep.name, sweep.seconds), sweep) for sweep in sweeps]


def _prepare(path: Path) -> None:
    """Create DBOS's database for its owner only, and let readers and a writer work side by side in it."""
    make_private(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL").close()
    connection.close()
