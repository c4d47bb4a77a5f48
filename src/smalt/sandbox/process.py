"""One sandbox as the host sees it: a process that answers on a pipe, and is believed nothing."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal, Self, cast

from smalt.core.errors import Unavailable
from smalt.sandbox.agent.framing import LENGTHS, PIECE_BYTES, pack
from smalt.sandbox.bubblewrap import command
from smalt.sandbox.limits import Limits
from smalt.sandbox.log import Log
from smalt.sandbox.system_calls import system_call_filter
from smalt.sandbox.watching import Watch, inner_pid

Json = dict[str, Any]

START_SECONDS = 30.0
ANSWER_SECONDS = 30.0
GRACE_SECONDS = 2.0
MOST_HEADER_BYTES = 2**20
MOST_FIGURE_BYTES = 16 * 2**20
LONGEST_PATH = 512

RunStatus = Literal["completed", "failed", "timed_out", "lost"]


class SandboxLost(Exception):
    """The process has ended or talks nonsense; what it knew is gone."""


class SandboxRefused(Exception):
    """The process could not do what was asked: the disk of the sandbox is full, or a file is not there."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a call ended; after `lost` there is no process any more, and `reason` says why.

    `figures` are PNG pictures.
    """

    status: RunStatus
    log: str
    figures: Sequence[bytes] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SandboxFile:
    """A file in the sandbox's folder; `stamp` changes with its content."""

    path: str
    bytes: int
    stamp: str


@dataclass
class _Answers:
    """What came before the answer to a run."""

    figures: list[bytes] = field(default_factory=list[bytes])
    unfinished: bytearray = field(default_factory=bytearray)


class Sandbox:
    """A running interpreter; one caller at a time. It stands still unless it was asked something."""

    def __init__(self, process: asyncio.subprocess.Process, pid: int, limits: Limits) -> None:
        self._process = process
        self._pid = pid
        self._limits = limits
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._requests, self._answers = process.stdin, process.stdout
        self._log = Log(process.stderr, limits.output_bytes)
        self._watch = Watch(pid, limits)
        self._is_killed = False

    @classmethod
    async def start(cls, program: str, limits: Limits) -> Self:
        """Start one with bubblewrap; raises `Unavailable` with what it said when it does not start."""
        process, info = await _spawn(program, limits)
        try:
            async with asyncio.timeout(START_SECONDS):
                assert process.stdout
                await _read_frame(process.stdout)
            return cls(process, await asyncio.to_thread(inner_pid, info), limits)
        except (SandboxLost, TimeoutError, OSError, ValueError) as error:
            said = await _last_words(process)
            raise Unavailable(f"The sandbox could not be started: {said or error or 'it did not answer'}") from error
        except BaseException:
            _kill(process)
            raise

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        return not self._is_killed and self._process.returncode is None

    async def run(self, code: str) -> Ran:
        """Run code; what it does wrong is in the log. Cancelling this ends the sandbox."""
        mark = f"\0{secrets.token_hex(16)}\0"
        self._log.begin(mark)
        answers = _Answers()
        watching = asyncio.create_task(self._watch.run(self.kill))
        try:
            answer, is_late = await self._answered(code, mark, answers)
        except SandboxLost:
            # Its last words are in the pipe; the reader ends with it. What is left of it must not be asked again.
            self.kill()
            reason = self._watch.reason or "it ended"
            return Ran("lost", await self._log.end(), reason=reason)
        finally:
            watching.cancel()
        if is_late:
            return Ran("timed_out", await self._log.end(), answers.figures)
        status = "completed" if answer.get("status") == "completed" else "failed"
        return Ran(status, await self._log.end(), answers.figures)

    async def write(self, path: str, piece: bytes, *, is_first: bool) -> None:
        """Write a file, or more of it; `SandboxRefused` when it does not fit."""
        for start in range(0, max(len(piece), 1), PIECE_BYTES):
            header = {"do": "put", "path": path, "is_first": is_first and start == 0}
            await self._ask(header, piece[start : start + PIECE_BYTES])

    async def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        await self._ask({"do": "remove", "path": path})

    async def files(self) -> list[SandboxFile]:
        """The files in the folder; those with names that nobody should have are left out."""
        answer, _ = await self._ask({"do": "list"})
        try:
            files = sorted((str(path), int(size), int(stamp)) for path, size, stamp in answer["files"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._nonsense() from error
        limit = self._limits.files_bytes
        return [
            SandboxFile(path, size, f"{size}.{stamp}") for path, size, stamp in files if _is_sound(path, size, limit)
        ]

    async def read(self, file: SandboxFile) -> AsyncGenerator[bytes]:
        """The content of a file, at most as long as it was said to be."""
        start = 0
        while start < file.bytes:
            _, piece = await self._ask({"do": "read", "path": file.path, "start": start})
            if not piece:
                return
            start += len(piece)
            yield piece[: len(piece) - max(start - file.bytes, 0)]

    def stop(self) -> None:
        """Let it stand still: nothing that code has left behind goes on."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)
        _kill(self._process)
        self._is_killed = True

    async def close(self) -> None:
        """End it and wait for its end."""
        self.kill()
        await self._process.wait()
        self._watch.close()
        # Pipes are closed once they were read to their ends.
        self._requests.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                while await self._answers.read(PIECE_BYTES):
                    pass
        await self._log.close()

    async def _answered(self, code: str, mark: str, answers: _Answers) -> tuple[Json, bool]:
        """The answer to a run, and whether it had to be interrupted."""
        answering = asyncio.create_task(self._exchange({"do": "run", "mark": mark}, code.encode(), answers))
        try:
            done, _ = await asyncio.wait([answering], timeout=self._limits.seconds)
            if not done:
                self._signal(signal.SIGINT)
                await asyncio.wait([answering], timeout=GRACE_SECONDS)
            if not answering.done():
                self._watch.reason = f"it did not stop after {self._limits.seconds:g} seconds"
                self.kill()
            return (await answering)[0], not done
        except asyncio.CancelledError:
            self.kill()
            answering.cancel()
            raise

    async def _ask(self, header: Json, payload: bytes = b"") -> tuple[Json, bytes]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer, content = await self._exchange(header, payload, _Answers())
        except BaseException as error:
            # Somebody else's answer must not be taken for the next one's.
            self.kill()
            if isinstance(error, TimeoutError):
                raise SandboxLost("it did not answer") from error
            raise
        if "error" in answer:
            raise SandboxRefused(str(answer["error"])[:500])
        return answer, content

    async def _exchange(self, header: Json, payload: bytes, answers: _Answers) -> tuple[Json, bytes]:
        try:
            self._requests.write(pack(header, payload))
            await self._requests.drain()
            while True:
                answer, content = await _read_frame(self._answers)
                if "figure" not in answer:
                    return answer, content
                _collect(answers, answer, content)
        except OSError as error:
            raise SandboxLost("it ended") from error

    def _nonsense(self) -> SandboxLost:
        self.kill()
        return SandboxLost("it answered nonsense")

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)


async def _spawn(program: str, limits: Limits) -> tuple[asyncio.subprocess.Process, Mapping[str, Any]]:
    """Start the process; what bubblewrap tells of it is a JSON object."""
    filter_out, filter_in = os.pipe()
    info_out, info_in = os.pipe()
    try:
        # It fits into the pipe, so nobody need read it yet.
        os.write(filter_in, system_call_filter() or b"")
        os.close(filter_in)
        arguments = command(program, limits, filter_fd=filter_out, info_fd=info_in)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *arguments, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=(filter_out, info_in), env={}
        )
    except BaseException:
        os.close(info_out)
        raise
    finally:
        os.close(filter_out)
        os.close(info_in)
    return process, await asyncio.to_thread(_read_info, info_out)


def _read_info(descriptor: int) -> Mapping[str, Any]:
    with os.fdopen(descriptor, "rb") as pipe:
        text = pipe.read()
    return json.loads(text) if text else {}


async def _read_frame(pipe: asyncio.StreamReader) -> tuple[Json, bytes]:
    """The next frame, whatever its sender would like it to be."""
    try:
        header_bytes, payload_bytes = LENGTHS.unpack(await pipe.readexactly(LENGTHS.size))
        if header_bytes > MOST_HEADER_BYTES or payload_bytes > PIECE_BYTES:
            raise SandboxLost("it answered nonsense")
        header = json.loads(await pipe.readexactly(header_bytes))
        payload = await pipe.readexactly(payload_bytes)
    except (asyncio.IncompleteReadError, ValueError, OSError) as error:
        raise SandboxLost("it ended") from error
    if not isinstance(header, dict):
        raise SandboxLost("it answered nonsense")
    return cast("Json", header), payload


def _collect(answers: _Answers, header: Json, piece: bytes) -> None:
    taken = sum(len(figure) for figure in answers.figures)
    if taken + len(answers.unfinished) + len(piece) <= MOST_FIGURE_BYTES:
        answers.unfinished += piece
        if header.get("is_last"):
            answers.figures.append(bytes(answers.unfinished))
    if header.get("is_last"):
        answers.unfinished.clear()


def _is_sound(path: str, size: int, limit: int) -> bool:
    parts = PurePosixPath(path).parts
    is_plain = bool(parts) and ".." not in parts and not path.startswith("/") and path.isprintable()
    return is_plain and len(path) <= LONGEST_PATH and 0 <= size <= limit


async def _last_words(process: asyncio.subprocess.Process) -> str:
    _kill(process)
    assert process.stderr
    said = await process.stderr.read(2**16)
    await process.wait()
    return said.decode(errors="replace").strip()[-500:]


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
