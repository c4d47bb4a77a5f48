"""One worker process: how it is started, heard and ended."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import IO, Any, NamedTuple

from smalt.core.errors import EngineFailed
from smalt.engines.failures import revive

logger = logging.getLogger(__name__)

TAIL_LINES = 40
TAIL_CHARACTERS = 2000
PIPE_BYTES = 1 << 16
LINE_BYTES = 1 << 24
STOP_SECONDS = 2.0
LAST_WORDS_SECONDS = 0.5


class Spec(NamedTuple):
    """What to run, as clients send it (the host's own copy of `WorkerSpec`, free of heavy imports)."""

    key: str
    target: str
    options: Mapping[str, Any]
    memory_bytes: int


class WorkerProcess:
    """A child that runs `smalt.engines.worker`; it lives at most as long as we do."""

    def __init__(self, spec: Spec, socket_path: str) -> None:
        self.socket_path = socket_path
        self._spec = spec
        self._child: subprocess.Popen[bytes] | None = None
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._listening: asyncio.Task[None] | None = None
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)

    @property
    def pid(self) -> int | None:
        """The process id, once there is one."""
        return self._child.pid if self._child else None

    async def start(self, within_seconds: float) -> Mapping[str, Any]:
        """Start it and return what it says when it is ready; raises why it will not be."""
        ready_fd, child_fd = os.pipe()
        try:
            child = self._child = self._spawn(child_fd)
        finally:
            os.close(child_fd)
        threading.Thread(target=self._wait, args=(child, self._ended.get_loop()), daemon=True).start()
        self._listening = asyncio.create_task(self._listen(child))
        try:
            async with asyncio.timeout(within_seconds):
                report = await _read_report(ready_fd, asyncio.to_thread(self._send_spec, child))
        except TimeoutError:
            raise EngineFailed(
                f"The worker {self._spec.key} was not ready within {within_seconds:g} seconds; if the machine is only "
                f"slow, raise engines.start_timeout_seconds.{self._said()}"
            ) from None
        if report is None:
            raise EngineFailed(
                f"The worker {self._spec.key} ended while it started: {await self.ending()}.{self._said()}"
            )
        if "error" in report:
            raise revive(report["error"])
        return report["info"]

    async def ending(self) -> str:
        """Wait until it has ended and say how."""
        code = await asyncio.shield(self._ended)
        if self._listening is not None:
            # A grandchild may keep the pipe open; its words are not worth waiting for.
            await asyncio.wait([self._listening], timeout=LAST_WORDS_SECONDS)
        if code >= 0:
            return f"exit code {code}"
        name = signal.Signals(-code).name
        return f"killed by {name} (perhaps for lack of memory)" if -code == signal.SIGKILL else f"killed by {name}"

    async def stop(self) -> None:
        """End it politely, then by force."""
        self._signal(signal.SIGTERM)
        await asyncio.wait([self._ended], timeout=STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it by force."""
        self._signal(signal.SIGKILL)

    async def clean_up(self) -> None:
        """End it if it has not ended; forget its socket and its pipes."""
        if self._child is not None:
            self.kill()
            await asyncio.wait([self._ended])
            with contextlib.suppress(OSError):
                assert self._child.stdin is not None
                self._child.stdin.close()
        if self._listening is not None:
            self._listening.cancel()
        with contextlib.suppress(OSError):
            os.unlink(self.socket_path)  # noqa: PTH108 pathlib is one import too many here

    def _signal(self, number: int) -> None:
        if self._child is not None:
            self._child.send_signal(number)

    def _spawn(self, child_fd: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "smalt.engines.worker"]
        command += ["--socket", self.socket_path, "--ready-fd", str(child_fd)]
        return subprocess.Popen(  # noqa: S603 our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=(child_fd,)
        )

    def _wait(self, child: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop) -> None:
        """Wait for its end in a thread: asyncio's own subprocesses end only when a grandchild's pipes end too."""
        code = child.wait()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._ended.set_result, code)

    def _send_spec(self, child: subprocess.Popen[bytes]) -> None:
        spec = {"target": self._spec.target, "options": self._spec.options}
        with contextlib.suppress(OSError):
            assert child.stdin is not None
            child.stdin.write(json.dumps(spec).encode() + b"\n")
            child.stdin.flush()

    async def _listen(self, child: subprocess.Popen[bytes]) -> None:
        """Log what the worker writes, and keep its last lines for error messages."""
        assert child.stdout is not None
        async with reading(child.stdout) as reader:
            rest = b""
            while piece := await reader.read(PIPE_BYTES):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._heard(line)
                if len(rest) > PIPE_BYTES:
                    self._heard(rest)
                    rest = b""
            if rest:
                self._heard(rest)

    def _heard(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        self._lines.append(text)
        logger.debug("[%s] %s", self._spec.key, text)

    def _said(self) -> str:
        tail = "\n".join(self._lines).strip()[-TAIL_CHARACTERS:]
        return f" Its last words:\n{tail}" if tail else ""


@contextlib.asynccontextmanager
async def reading(pipe: IO[bytes]) -> AsyncGenerator[asyncio.StreamReader]:
    """Read a pipe on the event loop; it is closed at the end."""
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        yield reader
    finally:
        transport.close()


async def _read_report(ready_fd: int, sending: Awaitable[None]) -> dict[str, Any] | None:
    """Send the spec and read the worker's one message; None when it ended without one."""
    async with reading(os.fdopen(ready_fd, "rb", buffering=0)) as reader:
        await sending
        line = await reader.readline()
    return json.loads(line) if line else None
