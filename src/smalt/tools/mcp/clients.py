"""Connects to MCP servers for all requests, and remembers what tools they have."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from smalt.core.errors import MissingExtra, PermissionDenied
from smalt.core.settings import McpSettings
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.tools.mcp.failures import McpFailure
from smalt.tools.mcp.server import McpServer

if TYPE_CHECKING:
    from smalt.tools.mcp.connection import Connection, Transport

Json = dict[str, Any]

MOST_LISTINGS = 256
OLD_SERVER = frozenset({400, 404, 405, 406, 415})
"""How servers that know only SSE refuse a message of the newer transport."""


class McpHostForbidden(PermissionDenied):
    """The operator does not let requests name this host (403)."""

    default_code = "mcp_host_forbidden"


@dataclass(frozen=True, slots=True)
class Listing:
    """A server's tools, how it was spoken to, and until when that holds."""

    tools: list[Json]
    transport: "Transport"
    ends_at: float


class McpClients:
    """What the MCP tools of all requests share."""

    def __init__(self, settings: McpSettings) -> None:
        self.settings = settings
        self._hosts = Hosts(settings.hosts)
        self._listings: OrderedDict[str, Listing] = OrderedDict()
        self._open: set[Connection] = set()

    def check(self, server: McpServer, param: str) -> None:
        """Raise `MissingExtra`, or `McpHostForbidden` for a host that the operator did not list."""
        if find_spec("mcp") is None:
            raise MissingExtra("mcp", extra="mcp")
        if self.settings.hosts is None or self._hosts.lists(server.host, server.port):
            return
        raise McpHostForbidden(
            f"This server does not let requests use MCP servers on '{server.host}'. Its operator may add the host to "
            "mcp.hosts.",
            param=f"{param}.server_url",
        )

    async def connect(self, server: McpServer) -> "Connection":
        """A session with a server, for `release` to end; raises `McpFailure`."""
        # The SDK takes most of a second to import; nobody else should wait for that.
        module = await asyncio.to_thread(import_module, "smalt.tools.mcp.connection")
        first, second = self._transports(server)
        seconds = self.settings.connect_seconds
        try:
            connection = await module.Connection.open(server, first, seconds)
        except McpFailure as failure:
            if failure.error.get("code") not in OLD_SERVER:
                raise
            connection = await self._retried(module, server, second, failure)
        self._open.add(connection)
        return connection

    async def release(self, connection: "Connection") -> None:
        """End a session."""
        self._open.discard(connection)
        await connection.close()

    def listed(self, server: McpServer) -> list[Json] | None:
        """The tools of a server that was asked lately."""
        listing = self._listing(server)
        return None if listing is None else listing.tools

    async def tools(self, server: McpServer, connection: "Connection") -> list[Json]:
        """Ask a server for its tools, and remember them; raises `McpFailure`."""
        tools = await connection.tools()
        self._listings[server.key] = Listing(tools, connection.transport, monotonic() + self.settings.cache_seconds)
        self._listings.move_to_end(server.key)
        if len(self._listings) > MOST_LISTINGS:
            self._listings.popitem(last=False)
        return tools

    def forget(self, server: McpServer) -> None:
        """Ask the server again next time: it is not what it was."""
        self._listings.pop(server.key, None)

    async def close(self) -> None:
        """End all sessions."""
        while self._open:
            await self.release(self._open.pop())

    def _listing(self, server: McpServer) -> Listing | None:
        listing = self._listings.get(server.key)
        return listing if listing is not None and monotonic() < listing.ends_at else None

    def _transports(self, server: McpServer) -> "tuple[Transport, Transport]":
        """What to try first, and what then."""
        listing = self._listing(server)
        is_old = (
            urlsplit(server.url).path.rstrip("/").endswith("/sse") if listing is None else listing.transport == "sse"
        )
        return ("sse", "streamable_http") if is_old else ("streamable_http", "sse")

    async def _retried(
        self, module: Any, server: McpServer, transport: "Transport", failure: McpFailure
    ) -> "Connection":
        try:
            return await module.Connection.open(server, transport, self.settings.connect_seconds)
        except McpFailure:
            # Its address is most likely wrong for both; the usual transport tells it best.
            raise failure from None
