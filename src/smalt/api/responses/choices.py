"""Which tools the model may or must call: `tool_choice` in all its forms."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from smalt.api.responses.toolset import Offered, kind_of
from smalt.core.errors import InvalidRequest, UnsupportedValue
from smalt.tools.protocols import HostedTool

Json = dict[str, Any]
Mode = Literal["none", "auto", "required"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The names that may be called this turn, and whether one must be."""

    names: Sequence[str]
    mode: Mode


def check_choice(choice: str | Json | None, tools: Sequence[Json]) -> None:
    """Refuse a choice that names no tool of the request."""
    if choice in (None, "none", "auto"):
        return
    if not tools:
        raise InvalidRequest(
            "'tool_choice' is only allowed when 'tools' are specified. Offer the tool, or leave it out.",
            param="tool_choice",
        )
    if isinstance(choice, dict):
        for wanted in choice["tools"] if choice["type"] == "allowed_tools" else [choice]:
            _check_offered(wanted, tools)


def chosen(
    choice: str | Json | None,
    tools: Sequence[Json],
    hosted: Sequence[HostedTool],
    offers: Mapping[str, Offered],
    *,
    is_first: bool,
) -> Choice:
    """What the model may call this turn; what must be called, must be called in the first turn only.

    Raises `InvalidRequest` when nothing can be called that must be: a server need not have the tool that is asked for.
    """
    found = _chosen(choice, tools, hosted, offers, is_first=is_first)
    if found.mode == "required" and not found.names:
        raise InvalidRequest(
            "Tool choice: no tool that must be called is there. Of an MCP server, the item 'mcp_list_tools' shows what "
            "it has, or why that could not be listed.",
            param="tool_choice",
            code="invalid_value",
        )
    return found


def _chosen(
    choice: str | Json | None,
    tools: Sequence[Json],
    hosted: Sequence[HostedTool],
    offers: Mapping[str, Offered],
    *,
    is_first: bool,
) -> Choice:
    if choice is None or isinstance(choice, str):
        mode = _mode(choice or "auto")
        return Choice(list(offers), mode if is_first or mode == "none" else "auto")
    kinds = [tool for tool in tools if tool["type"] != "function"]
    made = list(zip(kinds, hosted, strict=True))
    if choice["type"] == "allowed_tools":
        names = {name for wanted in choice["tools"] for name in _names(wanted, made, offers)}
        mode = _mode(choice["mode"]) if is_first else "auto"
        return Choice([name for name in offers if name in names], mode)
    if not is_first:
        return Choice(list(offers), "auto")
    return Choice(_names(choice, made, offers), "required")


def _mode(word: str) -> Mode:
    return "none" if word == "none" else "required" if word == "required" else "auto"


def _check_offered(wanted: Json, tools: Sequence[Json]) -> None:
    kind = kind_of(wanted)
    if kind == "custom":
        raise UnsupportedValue(
            "Unsupported value: 'tool_choice.type' does not support 'custom' here. Offer the tool as a function.",
            param="tool_choice.type",
        )
    if not any(_fits(wanted, tool) for tool in tools):
        told = wanted.get("name") if kind == "function" else wanted.get("server_label")
        described = f"{kind} '{told}'" if told else kind
        offers = ", ".join(_described(tool) for tool in tools)
        raise InvalidRequest(
            f"Tool choice '{described}' not found in 'tools' parameter. Offered are: {offers}.",
            param="tool_choice",
            code="invalid_value",
        )


def _fits(wanted: Json, tool: Json) -> bool:
    kind = kind_of(wanted)
    if kind_of(tool) != kind:
        return False
    distinguishing: Mapping[str, Collection[str]] = {"function": ("name",), "mcp": ("server_label",)}
    return all(wanted.get(field) == tool.get(field) for field in distinguishing.get(kind, ()))


def _described(tool: Json) -> str:
    label = tool.get("name") or tool.get("server_label")
    return f"{kind_of(tool)} '{label}'" if label else kind_of(tool)


def _names(wanted: Json, made: Sequence[tuple[Json, HostedTool]], offers: Mapping[str, Offered]) -> list[str]:
    """The functions that one entry of a choice means."""
    if wanted["type"] == "function":
        return [wanted["name"]]
    tool = next(one for described, one in made if _fits(wanted, described))
    names = [name for name, offer in offers.items() if offer.tool is tool]
    own = wanted.get("name")
    return [name for name in names if own in (None, offers[name].function.name)]
