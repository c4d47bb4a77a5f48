"""Server-sent events: ready bytes out, a real status before the first, an error event after it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from time import perf_counter
from typing import Any

from fastapi import Response
from starlette.types import Receive, Scope, Send

from smalt.http.call import Call, call_of
from smalt.http.errors import error_body, log_unexpected
from smalt.http.interruption import ClientGone, Interruptible

DONE = b"data: [DONE]\n\n"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, must-revalidate"),
    (b"x-accel-buffering", b"no"),
]


def data(payload: bytes) -> bytes:
    """An event without a name, as chat and completions send it."""
    return b"data: " + payload + b"\n\n"


def event(name: str, payload: bytes) -> bytes:
    """An event with a name, as responses send it."""
    return b"event: " + name.encode() + b"\ndata: " + payload + b"\n\n"


def failed(body: bytes) -> bytes:
    """The event that ends a broken chat or completion stream: its data is the error envelope."""
    return data(body)


class EventStream(Response):
    """Sends each chunk as it comes; a chunk is one or more whole events (`data`, `event`, `DONE`).

    The first chunk is awaited before the status goes out, so a failure to begin is a real 4xx or 5xx. `failure` turns
    the envelope of a later failure into the stream's last event. The iterator is closed at once when the client goes.
    """

    def __init__(self, chunks: AsyncIterator[bytes], *, failure: Callable[[bytes], bytes] = failed) -> None:
        super().__init__()
        self.raw_headers = list(HEADERS)
        self._chunks = chunks
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; raise what went wrong before the first chunk."""
        call = call_of(scope)
        try:
            async with Interruptible(scope) as work:
                work.watch(receive)
                await self._forward(call, send)
        except Exception as error:
            if call.first_chunk_at is None:
                raise
            call.failed_with = error
            if isinstance(error, ClientGone):
                return
            log_unexpected(error, call)
            await send(_body(self._failure(error_body(error, call))))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _forward(self, call: Call, send: Send) -> None:
        try:
            first = await anext(self._chunks, b"")
            call.first_chunk_at = perf_counter()
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send(_body(first))
            async for chunk in self._chunks:
                await send(_body(chunk))
        finally:
            await _close(self._chunks)


def _body(chunk: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": chunk, "more_body": True}


async def _close(chunks: AsyncIterator[bytes]) -> None:
    if isinstance(chunks, AsyncGenerator):
        await chunks.aclose()
