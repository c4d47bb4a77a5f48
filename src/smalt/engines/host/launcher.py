"""Starts the engine host as a child process, keeps it running, and ends it with us."""

import fcntl
import json
import logging
import os
import secrets
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from smalt.core.errors import EngineFailed
from smalt.core.settings import Settings

logger = logging.getLogger(__name__)

LONGEST_FOLDER = 80
"""Unix socket paths end at 103 bytes on some systems; this leaves room for the sockets' names."""

START_SECONDS = 30.0
STOP_SECONDS = 10.0
RESTART_SECONDS = (0.1, 5.0)
LOCK = "lock"


class SocketFolder:
    """A private folder for the sockets of one host, ours as long as we hold its lock."""

    def __init__(self, data_dir: Path) -> None:
        parent = data_dir.absolute() / "run"
        if len(os.fsencode(parent)) > LONGEST_FOLDER:
            parent = _temporary_folder()
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        parent.chmod(0o700)
        with _locked(parent / LOCK):
            _remove_left_over(parent)
            self.path = parent / secrets.token_hex(4)
            self.path.mkdir(mode=0o700)
            self._lock = _take(self.path / LOCK)

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        _empty(self.path)
        self._lock.close()


def _temporary_folder() -> Path:
    """Our own folder among everybody's; when somebody else took its name, one that nobody can guess."""
    common = Path(tempfile.gettempdir())
    if len(os.fsencode(common)) > LONGEST_FOLDER:
        common = Path("/tmp")  # noqa: S108 the folder in it is private
    folder = common / f"smalt-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    return folder if _is_our_folder(folder) else Path(tempfile.mkdtemp(prefix="smalt-", dir=common))


def _is_our_folder(path: Path) -> bool:
    about = path.lstat()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()


def _take(path: Path) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_left_over(parent: Path) -> None:
    """Remove the folders of servers that were killed: nobody holds their locks."""
    for folder in parent.iterdir():
        if _is_our_folder(folder):
            with suppress(OSError), _take(folder / LOCK):
                _empty(folder)


def _empty(folder: Path) -> None:
    with suppress(OSError):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


class HostProcess:
    """A running engine host: API processes connect to `socket_path`.

    A thread restarts the host when it dies. The host and its workers die with this process, however it dies, because
    they hold the other end of a pipe.
    """

    def __init__(self, settings: Settings) -> None:
        self._policy = _policy_json(settings)
        self._folder = SocketFolder(settings.data_dir)
        self.socket_path = str(self._folder.path / "host.sock")
        self._stopping = threading.Event()
        self._child = self._start()
        self._watching = threading.Thread(target=self._watch, name="watch the engine host", daemon=True)
        self._watching.start()

    @property
    def pid(self) -> int:
        """The host's process id; another one after a restart."""
        return self._child.pid

    def stop(self) -> None:
        """Stop the host and all workers, and wait for their end."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._end(self._child)
        self._watching.join(STOP_SECONDS)
        # The watching thread may have been about to start another one.
        self._end(self._child)
        self._folder.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "smalt.engines.host"]
        command += ["--socket", self.socket_path, "--settings-json", self._policy]
        # In a session of its own, Ctrl-C reaches us alone, and we end the host when our requests are done.
        child = subprocess.Popen(  # noqa: S603 our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        timer = threading.Timer(START_SECONDS, child.kill)
        timer.start()
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            self._end(child)
            raise EngineFailed("The engine host could not be started; its message is in the log above.")
        return child

    def _watch(self) -> None:
        seconds, most_seconds = RESTART_SECONDS
        while True:
            began = time.monotonic()
            code = self._child.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > most_seconds:
                seconds = RESTART_SECONDS[0]
            logger.error("the engine host ended unexpectedly and is started again", extra={"exit_code": code})
            if self._stopping.wait(seconds):
                return
            seconds = min(most_seconds, seconds * 2)
            self._close_pipes(self._child)
            with suppress(EngineFailed):
                self._child = self._start()
            if self._stopping.is_set():
                self._end(self._child)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        self._close_pipes(child)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _close_pipes(self, child: subprocess.Popen[bytes]) -> None:
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def start_host(settings: Settings) -> HostProcess:
    """Start the engine host and wait until it listens; use it as a context manager, or call `stop`."""
    return HostProcess(settings)


def _policy_json(settings: Settings) -> str:
    engines = settings.engines
    return json.dumps(
        {
            "memory_bytes": engines.memory_bytes,
            "idle_seconds": engines.idle_seconds,
            "start_timeout_seconds": engines.start_timeout_seconds,
            "health_seconds": engines.health_seconds,
            "log_level": settings.log.level,
            "log_format": settings.log.format,
        }
    )
