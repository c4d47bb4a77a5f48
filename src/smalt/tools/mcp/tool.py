"""The `mcp` tool of a request: one server's tools as functions of the model."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from smalt.tools.mcp.approvals import approved
from smalt.tools.mcp.calls import ApprovalCall, McpToolCall
from smalt.tools.mcp.clients import McpClients
from smalt.tools.mcp.failures import INVALID_PARAMS, McpFailure, error_text, protocol_failure
from smalt.tools.mcp.policy import Policy
from smalt.tools.mcp.server import server_of
from smalt.tools.protocols import TOLD, Output, ToolCall, ToolFunction

if TYPE_CHECKING:
    from smalt.tools.mcp.connection import Connection

Json = dict[str, Any]


class McpTool:
    """One server of a request; a session with it begins when it is needed, and ends with the run.

    `param` is the tool's path in the request, for what is wrong with it.
    """

    def __init__(self, clients: McpClients, tool: Json, param: str = "tools") -> None:
        self._server = server_of(tool, param)
        clients.check(self._server, param)
        self._clients = clients
        self._policy = Policy.of(tool)
        self._tools: dict[str, Json] = {}
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    @property
    def server_label(self) -> str:
        """What the request calls the server."""
        return self._server.label

    async def prepare(self, output: Output, items: Sequence[Json]) -> None:
        """List the server's tools unless the model knows them already; make the calls that were approved."""
        tools = self._known(items)
        if tools is None:
            tools = await self._list(output)
        self._tools = {tool["name"]: tool for tool in tools}
        for approval in approved(items, self.server_label):
            call = McpToolCall(approval.name, self.server_label, self._ask, output, approval.request_id)
            call.add(approval.arguments)
            outcome = await call.run()
            told = {"name": approval.name, "arguments": approval.arguments, "output": outcome.text}
            if call.item is not None:
                call.item.end(**outcome.item, **{TOLD: told})

    def functions(self) -> Sequence[ToolFunction]:
        """The allowed tools, by their own names."""
        return [self._function(tool) for tool in self._tools.values()]

    def begin(self, function: str, output: Output) -> ToolCall:
        """Begin a call, or an approval request."""
        kind = ApprovalCall if self._policy.needs_approval(self._tools[function]) else McpToolCall
        return kind(function, self.server_label, self._ask, output)

    async def close(self) -> None:
        """End the session."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._clients.release(connection)

    def _known(self, items: Sequence[Json]) -> list[Json] | None:
        """The tools that the conversation lists, if those are what this request allows."""
        for item in reversed(items):
            if item.get("type") == "mcp_list_tools" and item.get("server_label") == self.server_label:
                tools: list[Json] = item["tools"]
                return self._policy.told(tools) if not item.get("error") and self._policy.knows(tools) else None
        return None

    async def _list(self, output: Output) -> list[Json]:
        item = output.begin("mcpl_", {"type": "mcp_list_tools", "server_label": self.server_label, "tools": []})
        item.emit("response.mcp_list_tools.in_progress")
        try:
            listed = self._clients.listed(self._server)
            if listed is None:
                listed = await self._clients.tools(self._server, await self._connected())
        except McpFailure as failure:
            item.emit("response.mcp_list_tools.failed")
            item.end(error=error_text(failure.error))
            return []
        tools = self._policy.told(listed)
        item.emit("response.mcp_list_tools.completed")
        item.end(tools=tools)
        return tools

    def _function(self, tool: Json) -> ToolFunction:
        parts = [tool.get("description") or "", self._server.description and f"({self._server.description})"]
        schema = {key: value for key, value in tool["input_schema"].items() if key != "$schema"}
        return ToolFunction(tool["name"], " ".join(filter(None, parts)), {"type": "object", **schema})

    async def _ask(self, name: str, arguments: Json) -> str:
        if name not in self._tools:
            raise protocol_failure(INVALID_PARAMS, f"The tool '{name}' is not among the allowed tools of the server.")
        try:
            connection = await self._connected()
            result = await connection.call(name, arguments, self._clients.settings.call_seconds)
        except McpFailure as failure:
            if failure.error["type"] != "mcp_tool_execution_error":
                self._clients.forget(self._server)
            raise
        return result.text

    async def _connected(self) -> "Connection":
        async with self._connecting:
            if self._connection is not None and not self._connection.is_open:
                await self.close()
            if self._connection is None:
                self._connection = await self._clients.connect(self._server)
            return self._connection
