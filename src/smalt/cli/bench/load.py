"""The load client: raw HTTP/1.1 on asyncio in a process of its own, so that it costs both sides the same little."""

import asyncio
import re
import resource
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from statistics import median
from time import perf_counter
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from smalt.cli.bench.processes import pin

CONTENT = re.compile(rb'"(?:content|text|delta)":\s*"[^"]')
TOKENS = re.compile(rb'"completion_tokens":\s*(\d+)')
EVENT = b"data: "
END = re.compile(rb"data: \[DONE\]|event: response\.(?:completed|incomplete)")


@dataclass(frozen=True)
class Target:
    """Where requests go."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Answer:
    """One answer: seconds to its first event, its first piece of content and its end, events and tokens in it."""

    first_event_seconds: float
    first_seconds: float
    seconds: float
    events: int
    tokens: int
    is_complete: bool


@dataclass(frozen=True)
class Outcome:
    """Every answer to a load, and how long the whole load took."""

    seconds: float
    answers: tuple[Answer, ...]
    failures: tuple[str, ...]

    @property
    def requests_per_second(self) -> float:
        """Finished requests a second."""
        return len(self.answers) / self.seconds

    @property
    def tokens(self) -> int:
        """Tokens in all answers, as the answers' usage counts them."""
        return sum(answer.tokens for answer in self.answers)

    @property
    def events(self) -> int:
        """Events in all streams."""
        return sum(answer.events for answer in self.answers)

    @property
    def first_event_milliseconds(self) -> float:
        """Median time to the first event."""
        return 1000 * median(answer.first_event_seconds for answer in self.answers)

    @property
    def first_milliseconds(self) -> float:
        """Median time to the first piece of content."""
        return 1000 * median(answer.first_seconds for answer in self.answers)

    @property
    def milliseconds(self) -> float:
        """Median time to the end of an answer."""
        return 1000 * median(answer.seconds for answer in self.answers)

    def or_fail(self) -> Self:
        """This outcome, if every request was answered; a figure without its failures would be a lie."""
        if self.failures:
            raise RuntimeError(f"{len(self.failures)} of the requests failed, the first with: {self.failures[0]}")
        return self


class Load:
    """Runs loads in a process of its own; `cores` pins that process."""

    def __init__(self, cores: frozenset[int] | None = None) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_prepare, initargs=(cores,))

    def __enter__(self) -> Self:
        # The first task starts the process; its imports are not a part of any measurement.
        self.run(Target("http://127.0.0.1:1/"), (), concurrency=1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, target: Target, bodies: tuple[bytes, ...], *, concurrency: int) -> Outcome:
        """Send each body once, `concurrency` at a time, and wait for every answer."""
        return self.start(target, bodies, concurrency=concurrency).result()

    def start(self, target: Target, bodies: tuple[bytes, ...], *, concurrency: int) -> Future[Outcome]:
        """Begin what `run` does, so that the caller can look at the server meanwhile."""
        return self._pool.submit(_run, target, bodies, concurrency)


def _prepare(cores: frozenset[int] | None) -> None:
    pin(cores)
    allow_many_files()


def allow_many_files() -> None:
    """Raise this process's limit of open files as far as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _run(target: Target, bodies: tuple[bytes, ...], concurrency: int) -> Outcome:
    import uvloop

    return uvloop.run(_load(target, bodies, concurrency))


async def _load(target: Target, bodies: tuple[bytes, ...], concurrency: int) -> Outcome:
    answers: list[Answer] = []
    failures: list[str] = []
    queue = iter(bodies)
    started_at = perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(bodies))):
            group.create_task(_drain(target, queue, answers, failures))
    return Outcome(perf_counter() - started_at, tuple(answers), tuple(failures))


async def _drain(target: Target, queue: Iterator[bytes], answers: list[Answer], failures: list[str]) -> None:
    connection = Connection(target)
    for body in queue:
        try:
            answers.append(await connection.post(body))
        except (OSError, EOFError, ValueError) as error:
            failures.append(f"{type(error).__name__}: {error}")
            connection.close()
    connection.close()


class Connection:
    """One connection, kept open between requests as long as the server keeps it."""

    def __init__(self, target: Target) -> None:
        url = urlsplit(target.url)
        self._host, self._port = url.hostname or "127.0.0.1", url.port or 80
        path = url.path + (f"?{url.query}" if url.query else "")
        lines = [f"POST {path} HTTP/1.1", f"Host: {url.netloc}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in target.headers.items()]
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader

    async def post(self, body: bytes) -> Answer:
        """Send one request and read its answer to the end."""
        started_at = perf_counter()
        head = await self._ask(body)
        answer = await self._read(head, started_at)
        if b"connection: close" in head:
            self.close()
        return answer

    async def _ask(self, body: bytes) -> bytes:
        """Send a request and read the head of its answer."""
        is_reused = self._writer is not None
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        try:
            return (await self._reader.readuntil(b"\r\n\r\n")).lower()
        except (asyncio.IncompleteReadError, ConnectionError):
            # llama.cpp closes a connection after a stream without saying so in the head.
            if not is_reused:
                raise
            self.close()
            return await self._ask(body)

    async def _read(self, head: bytes, started_at: float) -> Answer:
        first_event_at: float | None = None
        first_at: float | None = None
        seen = b""
        events = 0
        is_ended = False
        async for piece in _pieces(self._reader, head):
            first_event_at = first_event_at or perf_counter()
            events += piece.count(EVENT)
            is_ended = is_ended or END.search(piece) is not None
            seen = (seen + piece)[-2048:]
            if first_at is None and CONTENT.search(seen):
                first_at = perf_counter()
        ended_at = perf_counter()
        if not head.startswith(b"http/1.1 200"):
            raise ValueError(f"{head.splitlines()[0].decode()} {seen[:500].decode(errors='replace')}")
        counted = TOKENS.findall(seen)
        tokens = int(counted[-1]) if counted else 0
        return Answer(
            first_event_seconds=(first_event_at or ended_at) - started_at,
            first_seconds=(first_at or ended_at) - started_at,
            seconds=ended_at - started_at,
            events=events,
            tokens=tokens,
            is_complete=is_ended or not events,
        )

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


async def _pieces(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            yield (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    else:
        length = re.search(rb"content-length: *(\d+)", head)
        yield await reader.readexactly(int(length[1])) if length else await reader.read()
