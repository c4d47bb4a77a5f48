"""Decides which workers run: who shares one, when one starts, when one must go."""

import asyncio
import itertools
import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

from smalt.core.errors import ApiError, EngineFailed, Unavailable
from smalt.engines.host.backoff import Backoff
from smalt.engines.host.health import is_listening, is_well
from smalt.engines.host.policy import Policy, megabytes, resident_bytes
from smalt.engines.host.process import Spec, WorkerProcess

logger = logging.getLogger(__name__)

STRIKES = 3
"""Health checks missed in a row before a worker counts as hung: a busy machine may delay one."""

DYING_SECONDS = 1.0
RETRY_AFTER_SECONDS = 5
NEVER_FITS_RETRY_SECONDS = 300


class Worker:
    """A worker as the host sees it, from its start to its end."""

    def __init__(self, spec: Spec, name: str, process: WorkerProcess) -> None:
        loop = asyncio.get_running_loop()
        self.spec = spec
        self.name = name
        self.process = process
        self.state: Literal["starting", "ready", "stopping", "ended"] = "starting"
        self.info: Mapping[str, Any] = {}
        self.holders = 0
        self.last_used = loop.time()
        self.started: asyncio.Future[None] = loop.create_future()
        self.started.add_done_callback(lambda started: started.cancelled() or started.exception())
        self.ended = asyncio.Event()
        self.idle_timer: asyncio.TimerHandle | None = None
        self.fault: str | None = None

    @property
    def memory_bytes(self) -> int:
        """What it counts against the budget: what it declared, or what it really has if that is more."""
        pid = self.process.pid
        return max(self.spec.memory_bytes, resident_bytes(pid) if pid else 0)

    @property
    def is_dying(self) -> bool:
        """Whether its end has begun, though nobody has told us yet."""
        pid = self.process.pid
        if self.fault or not is_listening(self.process.socket_path):
            return True
        # A process gives up its memory before its sockets: who saw a connection end may ask before they are all closed.
        return sys.platform == "linux" and pid is not None and not resident_bytes(pid)

    @property
    def is_idle(self) -> bool:
        """Whether it may be stopped without anybody noticing."""
        return self.state == "ready" and self.holders == 0


class Supervisor:
    """Starts, shares, watches and stops workers; `on_gone(name, reason)` hears of every end."""

    def __init__(self, policy: Policy, folder: str, on_gone: Callable[[str, str], None]) -> None:
        self._policy = policy
        self._folder = folder
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._backoff = Backoff(policy.backoff_seconds, policy.backoff_most_seconds, self._loop.time)
        self._numbers = itertools.count(1)
        self._serving: dict[str, Worker] = {}
        self._lives: dict[Worker, asyncio.Task[None]] = {}
        self._stops: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def lease(self, spec: Spec) -> Worker:
        """A worker for `spec` that is ready, and stays until `release`; raises why there can be none."""
        while True:
            worker = await self._find_or_start(spec)
            self._hold(worker)
            try:
                await asyncio.shield(worker.started)
            except BaseException:
                self.release(worker)
                raise
            if worker.state == "ready" and not worker.is_dying:
                return worker
            # It died a moment ago and we have not been told yet, or it was stopped while it started.
            self.release(worker)
            await self._end_of(worker)

    async def _end_of(self, worker: Worker) -> None:
        """Wait for the end of a worker that nobody can reach; help if it does not come."""
        with suppress(TimeoutError):
            await asyncio.wait_for(worker.ended.wait(), DYING_SECONDS)
            return
        self._retire(worker, "it no longer listens")
        await worker.ended.wait()

    def release(self, worker: Worker) -> None:
        """Give a lease back; an idle worker is stopped after a while."""
        worker.holders -= 1
        worker.last_used = self._loop.time()
        if worker.is_idle:
            self._start_idle_timer(worker)
        self._changed.set()

    def status(self) -> list[dict[str, Any]]:
        """What runs, for people."""
        now = self._loop.time()
        return [
            {
                "key": worker.spec.key,
                "name": worker.name,
                "state": worker.state,
                "pid": worker.process.pid,
                "leases": worker.holders,
                "memory_bytes": worker.memory_bytes,
                "idle_seconds": round(now - worker.last_used, 3) if worker.is_idle else 0.0,
                "failures": self._backoff.count(worker.spec.key),
            }
            for worker in self._lives
        ]

    async def close(self) -> None:
        """Stop every worker."""
        for worker in list(self._lives):
            self._retire(worker, "the engine host stops")
        if self._lives:
            await asyncio.wait(list(self._lives.values()))

    async def _find_or_start(self, spec: Spec) -> Worker:
        deadline = self._loop.time() + self._policy.room_seconds
        while (worker := self._serving.get(spec.key)) is None:
            self._backoff.check(spec.key)
            if self._used_bytes() + spec.memory_bytes <= self._policy.memory_bytes:
                return self._launch(spec)
            room_is_coming = self._evict_for(spec)
            seconds = deadline - self._loop.time()
            if seconds <= 0 and not room_is_coming:
                raise self._no_room(spec)
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), None if room_is_coming else seconds)
        return worker

    def _launch(self, spec: Spec) -> Worker:
        # Unique over restarts of the host too: a client may give back a lease of an earlier host.
        name = f"{os.getpid()}-{next(self._numbers)}"
        worker = Worker(spec, name, WorkerProcess(spec, f"{self._folder}/w{name}.sock"))
        self._serving[spec.key] = worker
        self._lives[worker] = self._loop.create_task(self._live(worker))
        return worker

    async def _live(self, worker: Worker) -> None:
        """The whole life of a worker, from its start to what is left to do after its end."""
        try:
            await self._start(worker)
        except ApiError as error:
            if worker.state != "stopping":
                self._backoff.blame(worker.spec.key, error, had_started=False)
                logger.warning("worker failed to start: %s", error.message)
            reason = error.message
            worker.started.set_exception(error)
        else:
            reason = await self._serve(worker)
        finally:
            worker.state = "ended"
            self._forget(worker)
            await worker.process.clean_up()
            del self._lives[worker]
            worker.ended.set()
            self._changed.set()
        self._on_gone(worker.name, reason)

    async def _start(self, worker: Worker) -> None:
        began = self._loop.time()
        logger.info("starting worker %s (%s)", worker.spec.key, megabytes(worker.spec.memory_bytes))
        try:
            worker.info = await worker.process.start(self._policy.start_timeout_seconds)
        except (OSError, ValueError, LookupError) as error:
            raise EngineFailed(f"The worker {worker.spec.key} cannot be started: {error}") from error
        if worker.state == "stopping":
            raise EngineFailed(f"The worker {worker.spec.key} was stopped while it started.")
        worker.state = "ready"
        worker.started.set_result(None)
        seconds = self._loop.time() - began
        logger.info("worker %s is ready after %.1f s, pid %s", worker.spec.key, seconds, worker.process.pid)
        if worker.is_idle:
            self._start_idle_timer(worker)

    async def _serve(self, worker: Worker) -> str:
        """Watch a ready worker until it ends; returns why it did."""
        began = self._loop.time()
        watching = self._loop.create_task(self._watch_health(worker))
        try:
            ending = await worker.process.ending()
        finally:
            watching.cancel()
        if worker.state == "stopping":
            logger.info("worker %s has stopped", worker.spec.key)
            return "stopped"
        reason = f"The worker {worker.spec.key} {worker.fault or 'ended unexpectedly'}: {ending}."
        if self._loop.time() - began >= self._policy.stable_seconds:
            self._backoff.forgive(worker.spec.key)
        self._backoff.blame(worker.spec.key, EngineFailed(reason), had_started=True)
        logger.error("worker lost: %s", reason)
        return reason

    async def _watch_health(self, worker: Worker) -> None:
        strikes = 0
        while strikes < STRIKES:
            await asyncio.sleep(self._policy.health_seconds)
            well = await is_well(worker.process.socket_path, worker.info, self._policy.health_seconds)
            strikes = 0 if well else strikes + 1
            self._shrink_to_budget()
        worker.fault = "stopped answering and was killed"
        worker.process.kill()

    def _retire(self, worker: Worker, reason: str) -> None:
        """Stop a worker; nobody gets it any more."""
        if worker.state in ("stopping", "ended"):
            return
        logger.info("stopping worker %s: %s", worker.spec.key, reason)
        worker.state = "stopping"
        self._forget(worker)
        stopping = self._loop.create_task(worker.process.stop())
        self._stops.add(stopping)
        stopping.add_done_callback(self._stops.discard)

    def _forget(self, worker: Worker) -> None:
        if self._serving.get(worker.spec.key) is worker:
            del self._serving[worker.spec.key]
        if worker.idle_timer is not None:
            worker.idle_timer.cancel()

    def _hold(self, worker: Worker) -> None:
        worker.holders += 1
        if worker.idle_timer is not None:
            worker.idle_timer.cancel()

    def _start_idle_timer(self, worker: Worker) -> None:
        seconds = self._policy.idle_seconds
        if worker.idle_timer is not None:
            worker.idle_timer.cancel()
        worker.idle_timer = self._loop.call_later(seconds, self._retire, worker, f"idle for {seconds:g} s")

    def _used_bytes(self) -> int:
        return sum(worker.memory_bytes for worker in self._lives)

    def _staying_bytes(self) -> int:
        return sum(worker.memory_bytes for worker in self._serving.values())

    def _idle_workers(self) -> list[Worker]:
        """Idle workers, the least recently used first."""
        return sorted((w for w in self._serving.values() if w.is_idle), key=lambda worker: worker.last_used)

    def _evict_for(self, spec: Spec) -> bool:
        """Stop as few idle workers as make room for `spec`; False when even all of them would not."""
        excess = self._staying_bytes() + spec.memory_bytes - self._policy.memory_bytes
        idle = self._idle_workers()
        if sum(worker.memory_bytes for worker in idle) < excess:
            return False
        for worker in idle:
            if excess <= 0:
                break
            excess -= worker.memory_bytes
            self._retire(worker, f"to make room for {spec.key}")
        return True

    def _shrink_to_budget(self) -> None:
        """Workers may have grown: stop idle ones while there is more in use than the budget."""
        excess = self._staying_bytes() - self._policy.memory_bytes
        for worker in self._idle_workers():
            if excess <= 0:
                break
            excess -= worker.memory_bytes
            self._retire(worker, "workers use more memory than the budget")

    def _no_room(self, spec: Spec) -> Unavailable:
        need, budget = megabytes(spec.memory_bytes), megabytes(self._policy.memory_bytes)
        if spec.memory_bytes > self._policy.memory_bytes:
            return Unavailable(
                f"The worker {spec.key} needs {need}; all workers together may use {budget}. Raise "
                f"engines.memory_bytes, or serve a smaller model.",
                retry_after=NEVER_FITS_RETRY_SECONDS,
            )
        busy = ", ".join(worker.spec.key for worker in self._lives) or "none"
        return Unavailable(
            f"The worker {spec.key} needs {need}, which do not fit beside the workers in use ({busy}): all together "
            f"may use {budget}. Try again when they are idle, or raise engines.memory_bytes.",
            retry_after=RETRY_AFTER_SECONDS,
        )
