"""One session with an MCP server, held by a task of its own; the only place that imports the SDK."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar, cast

import httpx
from mcp import types
from mcp.client.session import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError

from smalt import __version__
from smalt.retrieval.data_sources.failures import quoted
from smalt.tools.mcp.contents import CallResult, listed_tool, result_of
from smalt.tools.mcp.failures import (
    INTERNAL_ERROR,
    TOO_LATE,
    UNREACHABLE,
    McpFailure,
    http_failure,
    protocol_failure,
)
from smalt.tools.mcp.http_client import http_client, status_failure
from smalt.tools.mcp.server import McpServer

Json = dict[str, Any]
Transport = Literal["streamable_http", "sse"]
T = TypeVar("T")

CLOSING_SECONDS = 2.0
MOST_PAGES = 64
CLIENT = types.Implementation(name="smalt", version=__version__)


class Connection:
    """A session that several calls may use at once; after a failure of the connection it is of no more use."""

    def __init__(self, server: McpServer, transport: Transport, connect_seconds: float) -> None:
        self._server = server
        self.transport: Transport = transport
        self._connect_seconds = connect_seconds
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self._trouble: asyncio.Future[McpFailure] = asyncio.get_running_loop().create_future()
        # The SDK's groups of tasks must be left by the task that entered them, which no single call is.
        self._holder = asyncio.create_task(self._hold())

    @classmethod
    async def open(cls, server: McpServer, transport: Transport, connect_seconds: float) -> "Connection":
        """Connect and say hello; raises `McpFailure`."""
        connection = cls(server, transport, connect_seconds)
        try:
            await connection._awaited(asyncio.shield(connection._opened), connect_seconds)
        except BaseException:
            await connection.close()
            raise
        return connection

    @property
    def is_open(self) -> bool:
        """Whether it may be used."""
        return not (self._holder.done() or self._trouble.done() or self._closing.is_set())

    async def tools(self) -> list[Json]:
        """All tools of the server, as `mcp_list_tools` items have them; raises `McpFailure`."""
        return await self._awaited(self._listed(), self._connect_seconds)

    async def call(self, name: str, arguments: Json, seconds: float) -> CallResult:
        """Call a tool; raises `McpFailure`, also for a tool that says that it failed."""
        # Not `call_tool`, which would list all tools to check the result's structure against its schema.
        request = types.CallToolRequest(params=types.CallToolRequestParams(name=name, arguments=arguments))
        session = self._opened.result()
        asking = session.send_request(types.ClientRequest(request), types.CallToolResult)
        return result_of(await self._awaited(asking, seconds))

    async def close(self) -> None:
        """End the session; never takes long, never fails."""
        self._closing.set()
        if not self._opened.done():
            self._holder.cancel()
        await asyncio.wait({self._holder}, timeout=CLOSING_SECONDS)
        self._holder.cancel()
        await asyncio.wait({self._holder})
        if not self._holder.cancelled():
            self._holder.exception()

    async def _hold(self) -> None:
        async with (
            self._streams() as (read, write),
            ClientSession(read, write, message_handler=self._heard, client_info=CLIENT) as session,
        ):
            await session.initialize()
            self._opened.set_result(session)
            await self._closing.wait()

    @asynccontextmanager
    async def _streams(self) -> AsyncGenerator[tuple[Any, Any]]:
        if self.transport == "sse":
            async with sse_client(self._server.url, httpx_client_factory=self._made) as (read, write):
                yield read, write
        else:
            async with self._client() as client, streamable_http_client(self._server.url, http_client=client) as both:
                yield both[0], both[1]

    def _made(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.AsyncClient:
        """The same client, where the SDK wants to have it made."""
        del headers, timeout, auth
        return self._client()

    def _client(self) -> httpx.AsyncClient:
        return http_client(self._server, self._connect_seconds, self._report)

    def _report(self, failure: McpFailure) -> None:
        if not self._trouble.done() and not self._closing.is_set():
            self._trouble.set_result(failure)

    async def _heard(self, message: Any) -> None:
        """The SDK hands over what it could not read in the place of a message."""
        if isinstance(message, Exception):
            self._report(protocol_failure(INTERNAL_ERROR, "The MCP server's answer could not be read."))

    async def _listed(self) -> list[Json]:
        tools: dict[str, Json] = {}
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await self._opened.result().list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            for tool in page.tools:
                tools.setdefault(tool.name, listed_tool(tool))
            cursor = page.nextCursor
            if not cursor:
                break
        return list(tools.values())

    async def _awaited(self, asking: Awaitable[T], seconds: float) -> T:
        """What the server answers, unless something goes wrong first: then an `McpFailure`."""
        asked = asyncio.ensure_future(asking)
        try:
            await asyncio.wait(
                {asked, self._trouble, self._holder}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if asked.done() and asked.exception() is None:
                return asked.result()
            raise self._failure(asked, seconds)
        finally:
            asked.cancel()
            await asyncio.wait({asked})

    def _failure(self, asked: asyncio.Future[Any], seconds: float) -> McpFailure:
        """Why there is no answer; what HTTP says explains what the SDK says."""
        if self._trouble.done():
            return self._trouble.result()
        if self._holder.done() and not self._holder.cancelled():
            return self._told(self._holder.exception())
        if asked.done():
            return self._told(asked.exception())
        return http_failure(TOO_LATE, f"The MCP server did not answer within {seconds:g} seconds.")

    def _told(self, error: BaseException | None) -> McpFailure:
        error = _first(error)
        if isinstance(error, McpError):
            return protocol_failure(error.error.code, quoted(error.error.message, self._server.secrets))
        if isinstance(error, httpx.HTTPStatusError):
            return status_failure(error.response.status_code)
        if isinstance(error, httpx.DecodingError):
            return http_failure(UNREACHABLE, "The MCP server's answer is packed, which was not asked for.")
        if isinstance(error, httpx.HTTPError | OSError):
            return http_failure(UNREACHABLE, f"The MCP server cannot be reached ({type(error).__name__}).")
        return protocol_failure(INTERNAL_ERROR, "The MCP server does not speak the protocol.")


def _first(error: BaseException | None) -> BaseException | None:
    """What lies in groups of errors, which the SDK's groups of tasks raise."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    return _first(group.exceptions[0])
