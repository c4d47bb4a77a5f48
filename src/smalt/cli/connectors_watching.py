"""Has a run worked on, and shows how far it is: by the running server's job runner, or by one of our own."""

import asyncio
import fcntl
import os
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from smalt.cli.claiming import LOCK

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import Progress, TaskID

    from smalt.core.settings import Settings
    from smalt.store.connector_runs import StoredRun
    from smalt.store.database import Database

LOOK_SECONDS = 0.2
SERVER_SECONDS = 2.0
"""Time between two looks for a running server."""

ENDED = ("succeeded", "failed", "cancelled", None)
UNWORKED = ("paused", *ENDED)


class Watcher:
    """Watches one run until it ends, rests or stops."""

    def __init__(self, settings: "Settings", database: "Database", run: "StoredRun") -> None:
        from smalt.jobs.queue import JobQueue
        from smalt.jobs.waking import wake_path
        from smalt.store.connector_runs import ConnectorRuns

        self._settings = settings
        self._database = database
        self._queue = JobQueue(wake_path(settings.data_dir))
        self._runs = ConnectorRuns(database, self._queue)
        self._run = run
        self._is_launched = False
        self._asked_at = -SERVER_SECONDS

    async def watch(self) -> bool:
        """Wait for the end; whether it was not broken off by Ctrl-C, which lets the run rest."""
        with ExitStack() as stack, showing(self._run) as bar:
            try:
                await self._until_unworked(stack, bar)
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None:
                    task.uncancel()
                bar.say("stopping; calls on their way are waited for (Ctrl-C again leaves at once)")
                await self._rest()
                await self._until_unworked(stack, bar)
                return False
        return True

    async def _until_unworked(self, stack: ExitStack, bar: "Bar") -> None:
        self._queue.wake()
        while True:
            self._launch(stack)
            run = await self._runs.get(self._run.id)
            status = await self._runs.job_status(run.job_id)
            bar.show((await self._runs.counts([run.id]))[run.id])
            if run.status != "running" or status == "paused":
                return
            if status in ENDED:
                # Rows came in for it while it was ending.
                await self._runs.go_on(run.id, {"job_id": next_job_id(run)})
                self._queue.wake()
            await asyncio.sleep(LOOK_SECONDS)

    def _launch(self, stack: ExitStack) -> None:
        """Start a job runner, unless a server has one or this has been done."""
        if self._is_launched or time.monotonic() < self._asked_at + SERVER_SECONDS:
            return
        self._asked_at = time.monotonic()
        if is_served(self._settings.data_dir):
            return
        from smalt.app.job_launcher import JobLauncher

        self._is_launched = True
        workers = ["smalt.app.handlers:connector_workers"]
        stack.enter_context(JobLauncher(_quiet(self._settings), None, workers=workers, only=True)).begin()

    async def _rest(self) -> None:
        job_id = (await self._runs.get(self._run.id)).job_id or ""
        await self._database.write(lambda connection: self._queue.pause(connection, job_id))
        self._queue.wake()


def _quiet(settings: "Settings") -> "Settings":
    """The settings for a runner beside a person's terminal, who need not hear that all is well."""
    if settings.log.level not in {"debug", "info"}:
        return settings
    return settings.model_copy(update={"log": settings.log.model_copy(update={"level": "warning"})})


class Bar:
    """A bar with the number of rows that have ended, and of those that went wrong."""

    def __init__(self, progress: "Progress", task: "TaskID", title: str) -> None:
        self._progress = progress
        self._task = task
        self._title = title

    def say(self, words: str) -> None:
        """Say something beside the bar."""
        self._title = words

    def show(self, counts: Mapping[str, int]) -> None:
        """Move the bar."""
        wrong = counts.get("failed", 0) + counts.get("interrupted", 0)
        title = f"{self._title} ({wrong:,} went wrong)" if wrong else self._title
        self._progress.update(self._task, completed=counts.get("succeeded", 0) + wrong, description=title)


@contextmanager
def showing(run: "StoredRun") -> Generator[Bar]:
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        title = f"{run.connector} {run.action}"
        yield Bar(progress, progress.add_task(title, total=run.total), title)


def next_job_id(run: "StoredRun") -> str:
    """The id of a job that goes on with a run whose last job has ended."""
    from smalt.core.ids import short_id

    return short_id(f"{run.id}-", 8)


def is_served(data_dir: "Path") -> bool:
    """Whether a server has this data folder, and so a job runner."""
    try:
        lock = os.open(data_dir / "run" / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
