"""Which tool a response must, may or must not call."""

from typing import Annotated, Any, Literal

from pydantic import Field, Tag
from typing_extensions import TypeAliasType

from smalt.schemas.wire import OBJECT, STRING, Request, by_kind

ToolChoiceOptions = TypeAliasType("ToolChoiceOptions", Literal["none", "auto", "required"])
ToolChoiceObjectType = TypeAliasType(
    "ToolChoiceObjectType",
    Literal[
        "file_search",
        "function",
        "computer_use_preview",
        "web_search_preview",
        "image_generation",
        "code_interpreter",
        "mcp",
        "custom",
        "allowed_tools",
    ],
)


class ToolChoiceObjectFileSearch(Request):
    """Search the files."""

    type: Literal["file_search"]


class ToolChoiceObjectComputer(Request):
    """Use the computer."""

    type: Literal["computer_use_preview", "computer_use", "computer"]


class ToolChoiceObjectWebSearch(Request):
    """Search the web."""

    type: Literal["web_search_preview", "web_search_preview_2025_03_11", "web_search", "web_search_2025_08_26"]


class ToolChoiceObjectImageGen(Request):
    """Make an image."""

    type: Literal["image_generation"]


class ToolChoiceObjectCodeInterpreter(Request):
    """Run code."""

    type: Literal["code_interpreter"]


class ToolChoiceObjectFunction(Request):
    """Call the function with this name."""

    type: Literal["function"]
    name: str


class ToolChoiceObjectMCP(Request):
    """Call a tool of this server; without a name, any of them."""

    type: Literal["mcp"]
    server_label: str
    name: str | None = None


class ToolChoiceCustom(Request):
    """Call the custom tool with this name."""

    type: Literal["custom"]
    name: str


class ToolChoiceAllowed(Request):
    """Narrow the offered tools down to these."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[dict[str, Any]]


ToolChoiceObject = TypeAliasType(
    "ToolChoiceObject",
    Annotated[
        ToolChoiceObjectFileSearch
        | ToolChoiceObjectComputer
        | ToolChoiceObjectWebSearch
        | ToolChoiceObjectImageGen
        | ToolChoiceObjectCodeInterpreter
        | ToolChoiceObjectFunction
        | ToolChoiceObjectMCP
        | ToolChoiceCustom
        | ToolChoiceAllowed,
        Field(discriminator="type"),
    ],
)
ToolChoiceParam = TypeAliasType(
    "ToolChoiceParam",
    Annotated[
        Annotated[ToolChoiceOptions, Tag(STRING)] | Annotated[ToolChoiceObject, Tag(OBJECT)],
        by_kind("a string", "an object"),
    ],
)
