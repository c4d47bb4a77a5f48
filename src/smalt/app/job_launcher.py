"""Starts the job runner's process when there is something to do, keeps it running, and ends it with us."""

import logging
import os
import pickle
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

from sqlalchemy.exc import DBAPIError

from smalt.core.clock import now
from smalt.core.settings import Settings
from smalt.jobs.rows import is_unfinished
from smalt.jobs.sweeping import Schedule, next_at
from smalt.jobs.waking import WakeListener
from smalt.store.connecting import connect, database_url
from smalt.store.database import database_of

logger = logging.getLogger(__name__)

LENGTH_BYTES = 8
PIPE_BYTES = 1 << 16
START_SECONDS = 60.0
STOP_SECONDS = 6.0
RESTART_SECONDS = (0.2, 10.0)
LONG_ENOUGH_SECONDS = 30.0
"""A runner that lived this long may be started again at once."""

LOOK_SECONDS = 15.0
"""Time between two looks at the database while no runner runs: a wake-up may have been lost."""

LEAD_SECONDS = 10.0
"""The runner takes its time to start, on a busy machine more, so it is started before it is needed."""


class JobLauncher:
    """Watches over the job runner in a thread of its own.

    The runner dies with this process, however it dies, because it holds the other end of a pipe. A runner that gives no
    sign of life is killed: it may hold locks that stop everybody, and others have taken its jobs over. With `only` it
    does the jobs of the named `workers`, and none of a server's, whose models it may not have.
    """

    def __init__(
        self, settings: Settings, host_socket: str | None, *, workers: Sequence[str] = (), only: bool = False
    ) -> None:
        self._settings = settings
        self._command = [sys.executable, "-P", "-m", "smalt.app.job_process"]
        self._command += ["--host-socket", host_socket] if host_socket else []
        self._command += ["--only"] if only else []
        self._command += [word for name in workers for word in ("--workers", name)]
        self._silence_seconds = settings.jobs.silence_seconds
        self._schedules: list[Schedule] = []
        self._listener = WakeListener(settings.data_dir)
        self._database = connect(database_url(database_of(settings)), "read")
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="watch the job runner", daemon=True)

    @property
    def pid(self) -> int | None:
        """The runner's process id, while it runs."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def begin(self) -> None:
        """Start the runner if there is something to do, now and whenever there is."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the runner and wait for its end; what it works on goes on with the next start."""
        self._stopping.set()
        if self._thread.is_alive():
            self._listener.wake()
            self._thread.join(STOP_SECONDS + 2)
        self._listener.close()
        self._database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _watch(self) -> None:
        # Imported when the server is ready, which it would delay.
        from smalt.app.schedules import schedules

        self._schedules = schedules(self._settings)
        rest_seconds, _ = RESTART_SECONDS
        while self._wait_for_work():
            began = time.monotonic()
            code = self._run()
            if self._stopping.is_set():
                return
            if code == 0 or time.monotonic() - began > LONG_ENOUGH_SECONDS:
                rest_seconds, _ = RESTART_SECONDS
            if code != 0:
                logger.error("the job runner ended unexpectedly and is started again", extra={"exit_code": code})
                self._stopping.wait(rest_seconds)
                rest_seconds = min(RESTART_SECONDS[1], rest_seconds * 2)

    def _wait_for_work(self) -> bool:
        """Wait until there is something to do; False when we are to stop."""
        while not self._stopping.is_set():
            seconds = self._seconds_until_work()
            if seconds <= 0:
                return True
            self._wait(min(seconds, LOOK_SECONDS))
        return False

    def _seconds_until_work(self) -> float:
        try:
            with self._database.connect() as connection:
                if is_unfinished(connection):
                    return 0.0
                at = next_at(connection, self._schedules)
        except DBAPIError:
            logger.exception("the database could not be asked for jobs")
            return LOOK_SECONDS
        return LOOK_SECONDS if at is None else at - now() - LEAD_SECONDS

    def _run(self) -> int:
        """Run the runner until it ends, or until we are to stop; returns its exit code."""
        child = self._child = self._start()
        silent_at = time.monotonic() + START_SECONDS
        while child.poll() is None:
            is_woken = self._wait(min(LOOK_SECONDS, self._silence_seconds), child.stdout)
            if self._stopping.is_set():
                _end(child)
            elif _hear(child):
                silent_at = time.monotonic() + self._silence_seconds
            elif time.monotonic() > silent_at:
                logger.error("the job runner hangs and is killed", extra={"pid": child.pid})
                child.kill()
            if is_woken:
                _tell(child)
        _close_pipes(child)
        return child.returncode

    def _start(self) -> "subprocess.Popen[bytes]":
        # In a session of its own, Ctrl-C reaches us alone, and we end the runner when our requests are done.
        child = subprocess.Popen(  # noqa: S603 our own command
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        settings = pickle.dumps(self._settings)
        assert child.stdin is not None
        with suppress(OSError):
            child.stdin.write(len(settings).to_bytes(LENGTH_BYTES) + settings)
        for pipe in filter(None, (child.stdin, child.stdout)):
            os.set_blocking(pipe.fileno(), False)
        return child

    def _wait(self, seconds: float, *more: "IO[bytes] | None") -> bool:
        """Wait until something happens; whether it was a wake-up."""
        readable, _, _ = select.select([self._listener, *filter(None, more)], [], [], seconds)
        self._listener.drain()
        return self._listener in readable


def _hear(child: "subprocess.Popen[bytes]") -> bool:
    """Whether the child gave a sign of life; at its end it gives none, and is waited for."""
    assert child.stdout is not None
    signs = child.stdout.read(PIPE_BYTES)
    if signs == b"":
        child.wait()
    return bool(signs)


def _tell(child: "subprocess.Popen[bytes]") -> None:
    assert child.stdin is not None
    # A full pipe holds enough wake-ups already.
    with suppress(OSError):
        child.stdin.write(b"\n")


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _close_pipes(child: "subprocess.Popen[bytes]") -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
