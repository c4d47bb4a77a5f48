"""Says what went wrong with an MCP server, in the words of an `mcp_call`'s error."""

from typing import Any, cast

import orjson

Json = dict[str, Any]

UNREACHABLE = 502
TOO_LATE = 504
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603


class McpFailure(Exception):
    """A server that cannot be asked, or does not do what it was asked; `error` is an `mcp_call`'s error."""

    def __init__(self, error: Json) -> None:
        super().__init__(error_text(error))
        self.error = error


def http_failure(code: int, message: str) -> McpFailure:
    """The failure of a request: its HTTP status, 502 without an answer, 504 without one in time."""
    return McpFailure({"type": "http_error", "code": code, "message": message})


def protocol_failure(code: int, message: str) -> McpFailure:
    """The refusal of a request, with a code of JSON-RPC."""
    return McpFailure({"type": "mcp_protocol_error", "code": code, "message": message})


def execution_failure(content: list[Json]) -> McpFailure:
    """A tool that ran, and says that it failed."""
    return McpFailure({"type": "mcp_tool_execution_error", "content": content})


def error_text(error: Any) -> str:
    """An `mcp_call`'s error as one text, as the v1 API has it."""
    if not isinstance(error, dict):
        return str(error)
    fields = cast("Json", error)
    if "message" in fields:
        return str(fields["message"])
    content = fields.get("content")
    if not isinstance(content, list):
        return str(content)
    parts = cast("list[Json]", content)
    texts = [str(part["text"]) if "text" in part else orjson.dumps(part).decode() for part in parts]
    return "\n".join(texts) or "The tool failed without a word."
