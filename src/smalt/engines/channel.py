"""Calls between an API process and a Python worker: frames on a Unix socket, many calls at once on one connection.

A frame is a fixed head (payload length, call number, kind, header length), a JSON header and a binary payload. A call
is answered by one RESULT or FAILURE; a stream by any number of ITEMs and then one of the two. CANCEL stops either.
"""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import orjson

from smalt.core.errors import ApiError, EngineFailed
from smalt.engines.failures import describe, revive
from smalt.engines.frames import CALL, CANCEL, FAILURE, HEAD, ITEM, PING, RESULT, STREAM

logger = logging.getLogger(__name__)

Header = Mapping[str, Any]
Message = tuple[Header, bytes]
CallHandler = Callable[[Header, bytes], Awaitable[Message]]
StreamHandler = Callable[[Header, bytes], AsyncIterator[Message]]
HandlerT = TypeVar("HandlerT")
Ready = Callable[[Mapping[str, Any]], None]

WORKER_STOPPED = (
    "The worker process of this model stopped while it worked on the request. The next request starts a new worker."
)


@dataclass(frozen=True)
class Handlers:
    """What a worker answers: methods with one result, and methods that stream."""

    calls: Mapping[str, CallHandler] = field(default_factory=dict[str, CallHandler])
    streams: Mapping[str, StreamHandler] = field(default_factory=dict[str, StreamHandler])


class FrameProtocol(asyncio.Protocol):
    """Cuts received bytes into frames and writes frames; a side says what a frame means in `received`."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._drained = asyncio.Event()
        self._drained.set()

    def received(self, kind: int, number: int, header: bytes, payload: bytes) -> None:
        """Act on one frame."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport that frames are written to."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Collect bytes and hand over every whole frame."""
        self._buffer += data
        start = 0
        while (frame_start := start + HEAD.size) <= len(self._buffer):
            payload_size, number, kind, header_size = HEAD.unpack_from(self._buffer, start)
            payload_start = frame_start + header_size
            end = payload_start + payload_size
            if end > len(self._buffer):
                break
            with memoryview(self._buffer) as view:
                header, payload = bytes(view[frame_start:payload_start]), bytes(view[payload_start:end])
            start = end
            self.received(kind, number, header, payload)
        if start:
            del self._buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits to write."""
        del exc
        self._transport = None
        self._drained.set()

    def pause_writing(self) -> None:
        """The other side reads too slowly."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """The other side reads again."""
        self._drained.set()

    async def drained(self) -> None:
        """Wait until the other side has read most of what was written."""
        if not self._drained.is_set():
            await self._drained.wait()

    @property
    def is_open(self) -> bool:
        """Whether frames still reach the other side."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, kind: int, number: int, header: bytes = b"{}", payload: bytes = b"") -> None:
        """Write one frame; dropped when the connection has gone."""
        if self._transport is not None:
            self._transport.write(b"".join((HEAD.pack(len(payload), number, kind, len(header)), header, payload)))

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


class PendingCall:
    """A call that waits for its one result."""

    def __init__(self, future: asyncio.Future[Message]) -> None:
        self.future = future

    def item(self, message: Message) -> None:
        """A call has no items; a worker that sends one is ignored."""

    def end(self, outcome: Message | ApiError) -> None:
        """Wake the caller with its result or its error."""
        if self.future.done():
            return
        if isinstance(outcome, ApiError):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class PendingStream:
    """A stream whose reader may be slower than the worker; items wait here."""

    def __init__(self) -> None:
        self._items: deque[Message] = deque()
        self._outcome: Message | ApiError | None = None
        self._news = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the worker has ended the stream."""
        return self._outcome is not None

    def item(self, message: Message) -> None:
        """Keep an item for the reader."""
        self._items.append(message)
        self._news.set()

    def end(self, outcome: Message | ApiError) -> None:
        """The stream has ended, well or badly."""
        self._outcome = outcome
        self._news.set()

    async def read(self) -> AsyncIterator[Message]:
        """Yield the items in order, then raise the error if there was one."""
        while True:
            while self._items:
                yield self._items.popleft()
            if self._outcome is not None:
                break
            self._news.clear()
            await self._news.wait()
        if isinstance(self._outcome, ApiError):
            raise self._outcome


class ClientProtocol(FrameProtocol):
    """The calling side of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: dict[int, PendingCall | PendingStream] = {}

    def received(self, kind: int, number: int, header: bytes, payload: bytes) -> None:
        """Give an answer to the call that waits for it."""
        if kind == ITEM:
            if pending := self.pending.get(number):
                pending.item((orjson.loads(header), payload))
        elif pending := self.pending.pop(number, None):
            answer = orjson.loads(header)
            pending.end(revive(answer) if kind == FAILURE else (answer, payload))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail every call that still waits."""
        super().connection_lost(exc)
        pending, self.pending = self.pending, {}
        for one in pending.values():
            one.end(EngineFailed(WORKER_STOPPED))


class ChannelClient:
    """Calls a worker's methods; connects with the first call and again when the connection was lost."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._connection: ClientProtocol | None = None
        self._connecting = asyncio.Lock()
        self._numbers = itertools.count(1)

    async def call(self, method: str, header: Header, payload: bytes = b"") -> Message:
        """Call `method` and wait for its result; cancelling the caller cancels the work in the worker."""
        request = orjson.dumps({"method": method, **header})
        connection = await self._connected()
        number = next(self._numbers) & 0xFFFFFFFF
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        connection.pending[number] = PendingCall(future)
        connection.send(CALL, number, request, payload)
        try:
            await connection.drained()
            return await future
        finally:
            if connection.pending.pop(number, None) is not None:
                connection.send(CANCEL, number)

    async def stream(self, method: str, header: Header, payload: bytes = b"") -> AsyncGenerator[Message]:
        """Call `method` and yield its items; closing the iterator early cancels the work in the worker."""
        request = orjson.dumps({"method": method, **header})
        connection = await self._connected()
        number = next(self._numbers) & 0xFFFFFFFF
        pending = connection.pending[number] = PendingStream()
        connection.send(STREAM, number, request, payload)
        try:
            await connection.drained()
            async for message in pending.read():
                yield message
        finally:
            if connection.pending.pop(number, None) is not None:
                connection.send(CANCEL, number)

    async def close(self) -> None:
        """Close the connection; calls that still wait fail."""
        if self._connection is not None:
            self._connection.close()

    async def _connected(self) -> ClientProtocol:
        if self._connection is not None and self._connection.is_open:
            return self._connection
        async with self._connecting:
            if self._connection is None or not self._connection.is_open:
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> ClientProtocol:
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.create_unix_connection(ClientProtocol, self._socket_path)
        except OSError as error:
            raise EngineFailed(WORKER_STOPPED) from error
        return protocol


class ServerProtocol(FrameProtocol):
    """The answering side of a connection; every call is a task."""

    def __init__(self, handlers: Handlers) -> None:
        super().__init__()
        self._handlers = handlers
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def received(self, kind: int, number: int, header: bytes, payload: bytes) -> None:
        """Start a call, cancel one, or answer that we are alive."""
        if kind == CALL:
            self._start(number, self._call(number, orjson.loads(header), payload))
        elif kind == STREAM:
            self._start(number, self._stream(number, orjson.loads(header), payload))
        elif kind == CANCEL:
            if task := self._tasks.get(number):
                task.cancel()
        elif kind == PING:
            self.send(PING, number)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for the answers any more: stop the work."""
        super().connection_lost(exc)
        for task in self._tasks.values():
            task.cancel()

    def _start(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))

    async def _call(self, number: int, header: Header, payload: bytes) -> None:
        try:
            handler = _named(self._handlers.calls, header["method"])
            answer, body = await handler(header, payload)
            self.send(RESULT, number, orjson.dumps(answer), body)
        except Exception as error:  # noqa: BLE001 the edge of the worker: every failure goes to the caller
            self._fail(number, error)

    async def _stream(self, number: int, header: Header, payload: bytes) -> None:
        try:
            handler = _named(self._handlers.streams, header["method"])
            items = handler(header, payload)
            try:
                async for item, body in items:
                    self.send(ITEM, number, orjson.dumps(item), body)
                    await self.drained()
            finally:
                if isinstance(items, AsyncGenerator):
                    await items.aclose()
            self.send(RESULT, number)
        except Exception as error:  # noqa: BLE001 the edge of the worker: every failure goes to the caller
            self._fail(number, error)

    def _fail(self, number: int, error: Exception) -> None:
        if not isinstance(error, ApiError):
            logger.error("call failed", exc_info=error)
            error = EngineFailed(f"The engine failed: {type(error).__name__}: {error}")
        self.send(FAILURE, number, orjson.dumps(describe(error)))


def _named(handlers: Mapping[str, HandlerT], method: str) -> HandlerT:
    if method not in handlers:
        raise EngineFailed(f"The worker has no method {method!r}.")
    return handlers[method]


async def serve_channel(
    handlers: Handlers, socket_path: str, ready: Ready, info: Mapping[str, Any] | None = None
) -> None:
    """Answer calls on the Unix socket `socket_path` for ever; `ready(info)` is called when it listens."""
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: ServerProtocol(handlers), socket_path, backlog=512)
    ready({"health": "channel", **(info or {})})
    async with server:
        await server.serve_forever()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on uvloop where there is one, else on asyncio's own loop."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
