"""MCP servers on loopback, made with the official SDK, for the tests of what calls them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.utilities.types import Image
from mcp.types import ToolAnnotations

from loopback import in_a_thread

Transport = Literal["streamable_http", "sse"]
ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "a5f645400000000049454e44ae426082"
)


@dataclass
class Harbour:
    """A harbour's MCP server: what it was asked, and with which headers."""

    url: str = ""
    methods: list[str] = field(default_factory=list[str])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    sessions_ended: int = 0

    def asked(self, method: str) -> int:
        """How often it was sent a message of this kind."""
        return self.methods.count(method)


def harbour_tools(*, stateless: bool = False) -> FastMCP:
    """The tools of the harbour."""
    server = FastMCP("harbour", stateless_http=stateless, log_level="CRITICAL")
    counts: dict[int, int] = {}

    @server.tool(annotations=ToolAnnotations(readOnlyHint=True))
    def tide(port: str, hour: int = 12) -> str:
        """Tells how high the water stands in a port, in metres."""
        return f"{port}: {2 + hour / 10:.1f} m at {hour}:00"

    @server.tool()
    def book_berth(ship: str) -> str:
        """Books a berth for a ship."""
        return f"Berth 7 is booked for {ship}."

    @server.tool()
    def sink(ship: str) -> str:
        """Always fails."""
        raise ValueError(f"{ship} does not sink")

    @server.tool()
    def count(context: Context[Any, Any, Any]) -> int:
        """Counts the calls of one session."""
        counts[id(context.session)] = counts.get(id(context.session), 0) + 1
        return counts[id(context.session)]

    @server.tool()
    async def wait(seconds: float) -> str:
        """Takes its time."""
        await asyncio.sleep(seconds)
        return "waited"

    @server.tool()
    def photograph() -> Image:
        """Takes a picture of the harbour."""
        return Image(data=ONE_PIXEL, format="png")

    @server.tool()
    def log_book(letters: int) -> str:
        """Reads the log book."""
        return "x" * letters

    return server


@contextmanager
def harbour(transport: Transport = "streamable_http", *, stateless: bool = False) -> Iterator[Harbour]:
    """The harbour's server, running until the end of the block."""
    tools = harbour_tools(stateless=stateless)
    app = tools.streamable_http_app() if transport == "streamable_http" else tools.sse_app()
    seen = Harbour()
    with asgi_service(_watched(app, seen)) as base:
        seen.url = f"{base}/mcp" if transport == "streamable_http" else f"{base}/sse"
        yield seen


@contextmanager
def asgi_service(app: Any) -> Iterator[str]:
    """The address of a server of an ASGI app."""

    async def start() -> tuple[str, Callable[[], Awaitable[None]]]:
        server = uvicorn.Server(
            uvicorn.Config(
                app, host="127.0.0.1", port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1
            )
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)

        async def stop() -> None:
            server.should_exit = True
            await serving
            # The SDK's servers leave tasks behind for every stream that was open.
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}", stop

    with in_a_thread(start) as base:
        yield base


def _watched(app: Any, seen: Harbour) -> Any:
    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen.headers.append(headers)
        seen.sessions_ended += scope["method"] == "DELETE"
        body = bytearray()

        async def watching() -> Any:
            message = await receive()
            body.extend(message.get("body", b""))
            if scope["method"] == "POST" and message["type"] == "http.request" and not message.get("more_body"):
                seen.methods.append(_method(bytes(body)))
            return message

        await app(scope, watching, send)

    return watched


def _method(body: bytes) -> str:
    return str(json.loads(body).get("method"))
