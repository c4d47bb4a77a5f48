"""Several API processes on one socket: started together, replaced when one dies, stopped together."""

import gc
import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, cast

from smalt.cli.api_process import END_SECONDS, STOP_SIGNALS, run_worker
from smalt.core.errors import EngineFailed

if TYPE_CHECKING:
    from smalt.core.settings import Settings

logger = logging.getLogger(__name__)

RESTART_PAUSE_SECONDS = 1.0


@dataclass
class Member:
    """One API process; `ready` carries one message, when it can answer."""

    process: SpawnProcess
    ready: "pipes.Connection[Any, Any]"
    is_ready: bool = False


class Fleet:
    """The API processes of one server."""

    def __init__(self, settings: "Settings", listening: socket.socket, engine_socket: str | None) -> None:
        self._settings = settings
        self._listening = listening
        self._engine_socket = engine_socket
        # A fresh interpreter for each: forking a process that has threads may leave locks held for ever.
        self._context = multiprocessing.get_context("spawn")
        self._members: list[Member] = []
        self._announced = False

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until a signal says stop; calls `ready` once every process answers."""
        gc.enable()
        with _signals() as stop:
            try:
                self._members = [self._start() for _ in range(self._settings.server.workers)]
                while not self._wait(stop):
                    self._look_after(ready)
            finally:
                self._stop()

    def _start(self) -> Member:
        hears, tells = self._context.Pipe(duplex=False)
        arguments = (self._settings, self._listening, self._engine_socket, tells)
        process = self._context.Process(target=run_worker, args=arguments, name="smalt-api")
        process.start()
        tells.close()
        return Member(process, cast("pipes.Connection[Any, Any]", hears))

    def _wait(self, stop: socket.socket) -> bool:
        waited: list[Any] = [stop, *(member.process.sentinel for member in self._members)]
        waited += [member.ready for member in self._members if not member.is_ready]
        return stop in pipes.wait(waited)

    def _look_after(self, ready: Callable[[], None]) -> None:
        for member in self._members:
            if not member.is_ready and member.ready.poll():
                member.is_ready = _heard(member.ready)
        for index, member in enumerate(self._members):
            if not member.process.is_alive():
                self._members[index] = self._replace(member)
        if not self._announced and all(member.is_ready for member in self._members):
            self._announced = True
            ready()

    def _replace(self, member: Member) -> Member:
        member.process.join()
        code = member.process.exitcode
        if not self._announced:
            raise EngineFailed(f"An API process ended with code {code} before it was ready; its message is above.")
        logger.error("an API process ended unexpectedly and is started again", extra={"exit_code": code})
        member.ready.close()
        time.sleep(0 if member.is_ready else RESTART_PAUSE_SECONDS)
        return self._start()

    def _stop(self) -> None:
        for member in self._members:
            member.process.terminate()
        deadline = time.monotonic() + END_SECONDS + 2
        for member in self._members:
            member.process.join(max(0.0, deadline - time.monotonic()))
            if member.process.is_alive():
                member.process.kill()
                member.process.join()


def _heard(ready: "pipes.Connection[Any, Any]") -> bool:
    try:
        ready.recv()
    except EOFError:
        # It died before it was ready; its sentinel tells the rest.
        return False
    return True


@contextmanager
def _signals() -> Generator[socket.socket]:
    """A socket that becomes readable when a signal says stop."""
    hears, tells = socket.socketpair()
    tells.setblocking(False)  # noqa: FBT003 - its only parameter
    before = {number: signal.signal(number, _note) for number in STOP_SIGNALS}
    woken = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
    try:
        yield hears
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        hears.close()
        tells.close()


def _note(_number: int, _frame: object) -> None:
    """Nothing to do: the signal's number arrives on the wake-up socket."""
