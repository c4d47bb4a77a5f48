"""Puts what the SDK's types say into the words of items, and into text for the model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from smalt.tools.mcp.failures import execution_failure

if TYPE_CHECKING:
    from mcp import types

Json = dict[str, Any]

LONGEST_OUTPUT = 256 * 1024
"""Characters; no model reads more, and the item is kept with every response that holds it."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a tool gave, as text."""

    text: str


def listed_tool(tool: "types.Tool") -> Json:
    """A tool as `mcp_list_tools` items have it."""
    hints = tool.annotations
    return {
        "annotations": {"read_only": bool(hints and hints.readOnlyHint)},
        "description": tool.description or tool.title or "",
        "input_schema": tool.inputSchema,
        "name": tool.name,
    }


def result_of(result: "types.CallToolResult") -> CallResult:
    """The texts of a result; raises `McpFailure` when the tool says that it failed."""
    if result.isError:
        raise execution_failure([_bare(part) for part in result.content])
    text = "\n".join(_text(part) for part in result.content)
    if not text and result.structuredContent is not None:
        text = orjson.dumps(result.structuredContent).decode()
    return CallResult(shortened(text))


def shortened(text: str) -> str:
    """The text, cut where it is longer than an item should be."""
    if len(text) <= LONGEST_OUTPUT:
        return text
    return f"{text[:LONGEST_OUTPUT]}\n[{len(text) - LONGEST_OUTPUT} more characters were left out]"


def _text(part: "types.ContentBlock") -> str:
    match part.type:
        case "text":
            return part.text
        case "image" | "audio":
            return f"[{part.type} of type {part.mimeType}, {len(part.data) * 3 // 4} bytes, which cannot be shown here]"
        case "resource_link":
            return " ".join(filter(None, [part.title or part.name, str(part.uri), part.description]))
        case "resource":
            return getattr(part.resource, "text", f"[{part.resource.uri}, which is not text]")


def _bare(part: "types.ContentBlock") -> Json:
    """A part of an error as the item keeps it: text, and what stands for anything else."""
    return {"type": "text", "text": shortened(_text(part))}
