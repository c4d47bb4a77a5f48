"""A loopback service that writes down what it is sent and answers as it is told, for tests of outgoing calls."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

import orjson
from aiohttp import web


@dataclass(frozen=True)
class Received:
    """A request, byte for byte; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def parts(self) -> Sequence[tuple[dict[str, str], bytes]]:
        """The parts of a form: each one's headers and its content."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        parts: Any = message_from_bytes(head + self.body).get_payload()
        return [(dict(part.items()), part.get_payload(decode=True)) for part in parts]


@dataclass(frozen=True)
class Reply:
    """An answer; one without a status is none: the connection breaks."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


BREAK = Reply(status=0)


def told(body: Any, status: int = 200, **headers: str) -> Reply:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, orjson.dumps(body), {"Content-Type": "application/json", **named})


def failed(status: int, message: str = "No.", **headers: str) -> Reply:
    """An error as OpenAI tells one."""
    return told({"error": {"message": message, "type": "server_error", "param": None, "code": None}}, status, **headers)


@dataclass
class StandIn:
    url: str
    received: list[Received]


@asynccontextmanager
async def standing_in(*replies: Reply, answer: Callable[[Received], Reply] | None = None) -> AsyncGenerator[StandIn]:
    """A service that gives the replies one after another, then what `answer` says."""
    left = list(replies)
    received: list[Received] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        received.append(Received(request.method, request.raw_path, headers, await request.read()))
        reply = left.pop(0) if left else answer(received[-1]) if answer else Reply()
        if not reply.status:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=reply.status or 200, body=reply.body, headers=reply.headers)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield StandIn(f"http://127.0.0.1:{runner.addresses[0][1]}", received)
    finally:
        await runner.cleanup()


@dataclass
class Somewhere:
    """A target of calls."""

    base_url: str
    is_smalt: bool = False
    signed: Mapping[str, str] = field(default_factory=lambda: {"Authorization": "Bearer sk-1"})

    async def headers(self) -> Mapping[str, str]:
        return self.signed


@dataclass
class Pauses:
    """Keeps what it was asked to wait for, and does not wait."""

    seconds: list[float] = field(default_factory=list[float])

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@dataclass
class Turns:
    """Counts the turns that were taken."""

    taken: int = 0

    async def turn(self) -> None:
        self.taken += 1
