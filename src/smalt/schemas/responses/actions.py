"""What a tool call is about: actions on a screen, in a shell and on the web, outputs, results and listed tools."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from smalt.schemas.vector_stores import VectorStoreFileAttributes
from smalt.schemas.wire import Request

ItemStatus = Literal["in_progress", "completed", "incomplete"]
ComputerActionType = TypeAliasType(
    "ComputerActionType",
    Literal["screenshot", "click", "double_click", "scroll", "type", "wait", "keypress", "drag", "move"],
)
ComputerToolCallOutputItemOutputType = TypeAliasType(
    "ComputerToolCallOutputItemOutputType", Literal["computer_screenshot"]
)
CodeInterpreterOutputType = TypeAliasType("CodeInterpreterOutputType", Literal["logs", "image"])
WebSearchActionType = TypeAliasType("WebSearchActionType", Literal["search", "open_page", "find", "find_in_page"])
ReasoningItemSummaryPartType = TypeAliasType("ReasoningItemSummaryPartType", Literal["summary_text"])


class Coordinate(Request):
    """A place on the screen, in pixels from its upper left corner."""

    x: int
    y: int


class ComputerActionClick(Request):
    """Click there."""

    type: Literal["click"]
    button: Literal["left", "right", "wheel", "back", "forward"]
    x: int
    y: int
    keys: list[str] | None = None


class ComputerActionDoubleClick(Request):
    """Click there twice."""

    type: Literal["double_click"]
    x: int
    y: int
    keys: list[str] | None = None


class ComputerActionDrag(Request):
    """Draw the pointer along a path with the button held."""

    type: Literal["drag"]
    path: list[Coordinate]
    keys: list[str] | None = None


class ComputerActionKeyPress(Request):
    """Press these keys together."""

    type: Literal["keypress"]
    keys: list[str]


class ComputerActionMove(Request):
    """Move the pointer there."""

    type: Literal["move"]
    x: int
    y: int
    keys: list[str] | None = None


class ComputerActionScreenshot(Request):
    """Look at the screen."""

    type: Literal["screenshot"]


class ComputerActionScroll(Request):
    """Scroll there, by so many pixels."""

    type: Literal["scroll"]
    x: int
    y: int
    scroll_x: int
    scroll_y: int
    keys: list[str] | None = None


class ComputerActionTypeKeys(Request):
    """Type this text."""

    type: Literal["type"]
    text: str


class ComputerActionWait(Request):
    """Wait a little."""

    type: Literal["wait"]


ComputerAction = TypeAliasType(
    "ComputerAction",
    Annotated[
        ComputerActionClick
        | ComputerActionDoubleClick
        | ComputerActionDrag
        | ComputerActionMove
        | ComputerActionScreenshot
        | ComputerActionScroll
        | ComputerActionTypeKeys
        | ComputerActionWait
        | ComputerActionKeyPress,
        Field(discriminator="type"),
    ],
)


class ComputerToolCallSafetyCheck(Request):
    """Something that the client is to look at before it acts."""

    id: str
    code: str | None = None
    message: str | None = None


class ComputerToolCallOutputItemOutputComputerScreenshot(Request):
    """What the screen shows: an address, a data URL or the id of a file."""

    type: Literal["computer_screenshot"]
    image_url: str | None = None
    file_id: str | None = None


ComputerToolCallOutputItemOutput = TypeAliasType(
    "ComputerToolCallOutputItemOutput", ComputerToolCallOutputItemOutputComputerScreenshot
)


class LocalShellExecAction(Request):
    """A command to run in the client's shell."""

    type: Literal["exec"]
    command: list[str]
    env: dict[str, str]
    timeout_ms: int | None = None
    user: str | None = None
    working_directory: str | None = None


class CodeInterpreterOutputImage(Request):
    """An image that code made."""

    type: Literal["image"]
    url: str


class CodeInterpreterOutputLogs(Request):
    """What code printed."""

    type: Literal["logs"]
    logs: str


CodeInterpreterOutput = TypeAliasType(
    "CodeInterpreterOutput",
    Annotated[CodeInterpreterOutputImage | CodeInterpreterOutputLogs, Field(discriminator="type")],
)


class WebSearchSource(Request):
    """A page that a search led to."""

    type: Literal["url"]
    url: str


class WebSearchActionSearch(Request):
    """Search for this; `sources` are the pages found, shown on request."""

    type: Literal["search"]
    query: str
    queries: list[str] | None = None
    sources: list[WebSearchSource] | None = None


class WebSearchActionOpenPage(Request):
    """Read this page."""

    type: Literal["open_page"]
    url: str


class WebSearchActionFind(Request):
    """Look for a pattern in this page."""

    type: Literal["find", "find_in_page"]
    url: str
    pattern: str


WebSearchAction = TypeAliasType(
    "WebSearchAction",
    Annotated[WebSearchActionFind | WebSearchActionOpenPage | WebSearchActionSearch, Field(discriminator="type")],
)


class FileSearchToolCallResult(Request):
    """A chunk that a file search found."""

    file_id: str
    filename: str
    text: str
    score: float
    attributes: VectorStoreFileAttributes | None = None
    vector_store_id: str | None = None


class MCPListToolsTool(Request):
    """A tool of an MCP server."""

    name: str
    description: str | None = None
    input_schema: dict[str, Any]
    annotations: dict[str, Any] | None = None


class HTTPError(Request):
    """A server could not be asked."""

    type: Literal["http_error"]
    code: int
    message: str


class MCPProtocolError(Request):
    """A server answered that it could not do what it was asked."""

    type: Literal["mcp_protocol_error"]
    code: int
    message: str


class MCPToolExecutionError(Request):
    """A server's tool ran and failed; `content` is what it said."""

    type: Literal["mcp_tool_execution_error"]
    content: Any


MCPToolCallError = TypeAliasType(
    "MCPToolCallError",
    Annotated[MCPProtocolError | MCPToolExecutionError | HTTPError, Field(discriminator="type")],
)


class ReasoningItemSummaryTextPart(Request):
    """A part of what the model thought, summarised."""

    type: Literal["summary_text"]
    text: str


ReasoningItemSummaryPart = TypeAliasType("ReasoningItemSummaryPart", ReasoningItemSummaryTextPart)
