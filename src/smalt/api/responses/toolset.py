"""The tools of a request: which run here, which the client runs, and by which names the model calls them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from smalt.core.errors import ApiError, InvalidRequest, UnsupportedValue
from smalt.tools.protocols import HostedTool, ToolFunction

Json = dict[str, Any]

KINDS: Mapping[str, str] = {
    "web_search": "web_search_preview",
    "web_search_2025_08_26": "web_search_preview",
    "web_search_preview_2025_03_11": "web_search_preview",
    "computer": "computer_use_preview",
    "computer_use": "computer_use_preview",
}
"""Other names of a kind of tool."""

HOSTED = (
    "file_search",
    "web_search_preview",
    "code_interpreter",
    "image_generation",
    "computer_use_preview",
    "local_shell",
    "mcp",
)
LONGEST_NAME = 64
UNPLACED = re.compile(r"^tools(?=\.|$)")
UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


class ToolRooms(Protocol):
    """What hosted tools are made of; `smalt.app.opening.Rooms` is one."""

    @property
    def settings(self) -> Any:
        """The settings of the server."""
        ...

    @property
    def models(self) -> Any:
        """Every model."""
        ...

    @property
    def search(self) -> Any:
        """Searches vector stores."""
        ...

    @property
    def containers(self) -> Any:
        """Where code runs."""
        ...

    @property
    def mcp(self) -> Any:
        """Talks to MCP servers."""
        ...

    @property
    def web(self) -> Any:
        """Fetches what is on the web."""
        ...


@dataclass(frozen=True, slots=True)
class ToolSet:
    """The tools of one request: those that run here in the order of the request, and the client's functions by name."""

    hosted: Sequence[HostedTool] = ()
    client_functions: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Offered:
    """What stands behind a name that the model may call; no tool means that the client runs it."""

    function: ToolFunction
    tool: HostedTool | None


def kind_of(tool: Mapping[str, Any]) -> str:
    """What kind of tool it is, whichever of its names the request uses."""
    kind: str = tool["type"]
    return KINDS.get(kind, kind)


def tool_set(tools: Sequence[Json], rooms: ToolRooms, project: str) -> ToolSet:
    """Make the tools of a request; raises what is wrong with them, by field."""
    check_tools(tools)
    functions = {tool["name"]: tool for tool in tools if tool["type"] == "function"}
    hosted = [
        _placed(tool, rooms, project, f"tools[{position}]")
        for position, tool in enumerate(tools)
        if tool["type"] != "function"
    ]
    return ToolSet(hosted, functions)


def _placed(tool: Json, rooms: ToolRooms, project: str, param: str) -> HostedTool:
    """Make a tool; what is wrong with it is told by its place, which the tool itself does not know."""
    try:
        return _MAKERS[kind_of(tool)](tool, rooms, project, param)
    except ApiError as error:
        if error.param is not None and UNPLACED.match(error.param):
            error.message = error.message.replace(f"'{error.param}'", f"'{UNPLACED.sub(param, error.param)}'")
            error.param = UNPLACED.sub(param, error.param)
        raise


def check_tools(tools: Sequence[Json]) -> None:
    """Refuse kinds of tools that are not served, and two tools that cannot be told apart."""
    seen: set[str] = set()
    for position, tool in enumerate(tools):
        kind = kind_of(tool)
        if kind != "function" and kind not in HOSTED:
            raise UnsupportedValue(
                f"Unsupported value: 'tools[{position}].type' does not support '{kind}' here. It may be one of: "
                f"function, {', '.join(HOSTED)}.",
                param=f"tools[{position}].type",
            )
        if kind == "function" and len(tool["name"]) > LONGEST_NAME:
            raise InvalidRequest(
                f"Invalid 'tools[{position}].name': string too long. Expected a string with maximum length "
                f"{LONGEST_NAME}, but got a string with length {len(tool['name'])} instead.",
                param=f"tools[{position}].name",
                code="string_above_max_length",
            )
        label = {"function": tool.get("name"), "mcp": tool.get("server_label")}.get(kind)
        name = kind if label is None else f"{kind} '{label}'"
        if name in seen:
            raise InvalidRequest(
                f"'tools[{position}]' is a second {name}. Offer one, or give them different names.",
                param=f"tools[{position}]",
                code="invalid_value",
            )
        seen.add(name)


def offered(client_functions: Mapping[str, Json], hosted: Sequence[HostedTool]) -> dict[str, Offered]:
    """Everything that the model may call, by the name it is told; hosted tools are prepared by now.

    The client's functions keep their names; a hosted function whose name is taken, or not one that models may be told,
    gets another.
    """
    found = {name: Offered(_client_function(tool), None) for name, tool in client_functions.items()}
    for tool in hosted:
        for function in tool.functions():
            found[_free_name(function.name, tool, found)] = Offered(function, tool)
    return found


def _client_function(tool: Json) -> ToolFunction:
    return ToolFunction(
        tool["name"], tool.get("description") or "", tool.get("parameters") or {}, strict=bool(tool.get("strict"))
    )


def _free_name(name: str, tool: HostedTool, taken: Mapping[str, Offered]) -> str:
    wanted = UNFIT.sub("_", name)[:LONGEST_NAME] or "tool"
    if wanted not in taken:
        return wanted
    label = getattr(tool, "server_label", None) or "hosted"
    wanted = UNFIT.sub("_", f"{label}_{name}")[:LONGEST_NAME]
    number = 2
    free = wanted
    while free in taken:
        ending = f"_{number}"
        free = wanted[: LONGEST_NAME - len(ending)] + ending
        number += 1
    return free


Maker = Callable[[Json, ToolRooms, str, str], HostedTool]


def _made(place: str, arguments: Callable[[Json, ToolRooms, str, str], Sequence[Any]]) -> Maker:
    """Makes a tool of a class at `module:name`, which is imported only when a request asks for it."""
    module, _, name = place.partition(":")

    def make(tool: Json, rooms: ToolRooms, project: str, param: str) -> HostedTool:
        return getattr(import_module(f"smalt.tools.{module}"), name)(*arguments(tool, rooms, project, param))

    return make


_MAKERS: Mapping[str, Maker] = {
    "file_search": _made(
        "file_search:FileSearch", lambda tool, rooms, project, param: (rooms.search, project, tool, param)
    ),
    "web_search_preview": _made(
        "web_search:WebSearch", lambda tool, rooms, _, __: (rooms.settings.web_search, rooms.web, tool)
    ),
    "image_generation": _made("image_generation:ImageGeneration", lambda tool, rooms, _, __: (rooms.models, tool)),
    "code_interpreter": _made(
        "code_interpreter:CodeInterpreter", lambda tool, rooms, project, _: (rooms.containers, project, tool)
    ),
    "mcp": _made("mcp:McpTool", lambda tool, rooms, _, param: (rooms.mcp, tool, param)),
    "computer_use_preview": _made("client_tools:ClientTool", lambda tool, _rooms, _, __: (tool,)),
    "local_shell": _made("client_tools:ClientTool", lambda tool, _rooms, _, __: (tool,)),
}
