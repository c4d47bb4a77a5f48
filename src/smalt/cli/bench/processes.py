"""Starts the processes of a measurement, and counts what they use: CPU-seconds and memory."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from smalt.core.errors import MissingExtra

if TYPE_CHECKING:
    import psutil

IDLE_SHARE = 0.03
WORKER_MODULE = "smalt.engines.worker"


@dataclass(frozen=True)
class Used:
    """CPU-seconds of a running server: its engine workers, and everything else of it."""

    engine: float
    ours: float

    def since(self, before: "Used") -> "Used":
        """What was used between two looks."""
        return Used(self.engine - before.engine, self.ours - before.ours)


class ProcessTree:
    """A process and everything it has started."""

    def __init__(self, pid: int) -> None:
        self._root = _psutil().Process(pid)

    def processes(self) -> "list[psutil.Process]":
        """All processes of the tree that are alive now."""
        return [self._root, *self._root.children(recursive=True)]

    def used(self) -> Used:
        """CPU-seconds so far; a worker counts as the engine, and so does a root that is nothing but an engine."""
        engine = ours = 0.0
        for process in self.processes():
            with suppress(_psutil().Error):
                times = process.cpu_times()
                seconds = times.user + times.system
                if _is_worker(process.cmdline()):
                    engine += seconds
                else:
                    ours += seconds
        return Used(engine, ours)

    def memory_bytes(self) -> int:
        """Resident memory of the tree; pages that processes share count for each of them."""
        total = 0
        for process in self.processes():
            with suppress(_psutil().Error):
                total += process.memory_info().rss
        return total

    def wait_until_idle(self, seconds: float = 20.0) -> None:
        """Wait until the tree uses next to no CPU, so that it does not disturb whoever is measured next."""
        until = monotonic() + seconds
        while monotonic() < until:
            before = self.used()
            sleep(0.25)
            used = self.used().since(before)
            if used.engine + used.ours <= 0.25 * IDLE_SHARE:
                return


def _is_worker(command: Iterable[str]) -> bool:
    return any(part == WORKER_MODULE or part.startswith("smalt.cli.bench.naked") for part in command)


def pin(cores: Iterable[int] | None) -> None:
    """Keep this process, and what it starts from now on, on these cores, where the system can."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


@contextmanager
def pinned(cores: Iterable[int] | None) -> Generator[None]:
    """Processes that are started within stay on these cores."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pin(cores)
    try:
        yield
    finally:
        pin(before)


def usable_cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def split_cores() -> tuple[frozenset[int] | None, frozenset[int] | None]:
    """One core for the server that is measured and the others for what loads it; None where that cannot be done."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    return (frozenset(cores[:1]), frozenset(cores[1:])) if len(cores) > 1 else (None, None)


@contextmanager
def helper(
    module: str, options: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> "Generator[Helper]":
    """Run one of this package's modules as a process; it prints one line of JSON when it is ready."""
    command = [sys.executable, "-m", module, json.dumps(options)]
    process = subprocess.Popen(  # noqa: S603 - our own module
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, env={**os.environ, **(environment or {})}, text=True
    )
    try:
        yield Helper(process)
    finally:
        stop(process)


class Helper:
    """A running helper process; `ready` is what it said when it had started."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid
        self.ready = self.read()

    def read(self) -> dict[str, Any]:
        """The next line of JSON that the process prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended before it said anything")
        return json.loads(line)

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Write one line of JSON to the process and read its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self.read()


def stop(process: "subprocess.Popen[Any]", seconds: float = 20.0) -> None:
    """End a process, kindly first."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _psutil() -> Any:
    try:
        import psutil
    except ImportError:
        raise MissingExtra("psutil", extra="bench") from None
    return psutil
