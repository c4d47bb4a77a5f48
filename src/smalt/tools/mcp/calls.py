"""One call of an MCP server's tool: made at once, or asked of the client first."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson

from smalt.tools.mcp.contents import shortened
from smalt.tools.mcp.failures import INVALID_PARAMS, McpFailure, error_text, protocol_failure
from smalt.tools.protocols import Outcome, Output, OutputItem

Json = dict[str, Any]
Ask = Callable[[str, Json], Awaitable[str]]
"""Calls a tool of the server by its name and arguments; raises `McpFailure`."""


class McpToolCall:
    """A call that is made when its arguments are whole."""

    def __init__(self, name: str, label: str, ask: Ask, output: Output, approval_request_id: str | None = None) -> None:
        self._name = name
        self._ask = ask
        self._pieces: list[str] = []
        self._item = output.begin("mcp_", _mcp_call(name, label, approval_request_id))
        self._item.emit("response.mcp_call.in_progress")

    @property
    def item(self) -> OutputItem | None:
        """The `mcp_call`."""
        return self._item

    def add(self, arguments: str) -> None:
        """Take the next piece of the arguments."""
        self._pieces.append(arguments)

    async def run(self) -> Outcome:
        """Tell the arguments in one event, as the services do, and call the tool."""
        arguments = "".join(self._pieces) or "{}"
        self._item.emit("response.mcp_call.arguments_delta", delta=arguments)
        self._item.emit("response.mcp_call.arguments_done", arguments=arguments)
        try:
            text = await self._ask(self._name, parsed(arguments))
        except McpFailure as failure:
            self._item.emit("response.mcp_call.failed")
            fields = {"arguments": arguments, "error": failure.error, "status": "failed"}
            return Outcome(f"Error: {shortened(error_text(failure.error))}", fields)
        self._item.emit("response.mcp_call.completed")
        return Outcome(text, {"arguments": arguments, "output": text, "status": "completed"})


class ApprovalCall:
    """A call that the client must agree to; it is made by the response to its approval.

    The model is told nothing of it until then, so its item ends here and not with an outcome.
    """

    def __init__(self, name: str, label: str, ask: Ask, output: Output) -> None:
        self._name = name
        self._label = label
        self._ask = ask
        self._output = output
        self._pieces: list[str] = []
        self._failed: McpToolCall | None = None

    @property
    def item(self) -> OutputItem | None:
        """The `mcp_call` of arguments that no tool could take."""
        return None if self._failed is None else self._failed.item

    def add(self, arguments: str) -> None:
        """Take the next piece of the arguments."""
        self._pieces.append(arguments)

    async def run(self) -> Outcome:
        """Ask the client; arguments that no tool could take are the model's to mend."""
        arguments = "".join(self._pieces) or "{}"
        try:
            parsed(arguments)
        except McpFailure:
            self._failed = McpToolCall(self._name, self._label, self._ask, self._output)
            self._failed.add(arguments)
            return await self._failed.run()
        request = {
            "type": "mcp_approval_request",
            "arguments": arguments,
            "name": self._name,
            "server_label": self._label,
        }
        self._output.begin("mcpr_", request).end()
        return Outcome("", ends_run=True)


def parsed(arguments: str) -> Json:
    """The arguments as an object; raises `McpFailure` for anything else."""
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise protocol_failure(INVALID_PARAMS, "The arguments are not a JSON object.")
    return cast("Json", value)


def _mcp_call(name: str, label: str, approval_request_id: str | None) -> Json:
    return {
        "type": "mcp_call",
        "status": "in_progress",
        "approval_request_id": approval_request_id,
        "arguments": "",
        "error": None,
        "name": name,
        "output": None,
        "server_label": label,
    }
