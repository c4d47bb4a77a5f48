"""The items of an answer, and of what was sent once it is kept: each has an id."""

from typing import Annotated, Literal

from pydantic import Field, Tag
from typing_extensions import TypeAliasType

from smalt.schemas.responses.actions import (
    CodeInterpreterOutput,
    ComputerAction,
    ComputerToolCallOutputItemOutput,
    ComputerToolCallSafetyCheck,
    FileSearchToolCallResult,
    ItemStatus,
    LocalShellExecAction,
    MCPListToolsTool,
    ReasoningItemSummaryPart,
    WebSearchAction,
)
from smalt.schemas.responses.content import ItemContent, ReasoningTextContent
from smalt.schemas.responses.item_params import MCPError, MessagePhase
from smalt.schemas.wire import ARRAY, STRING, Wire, by_kind

ItemType = TypeAliasType(
    "ItemType",
    Literal[
        "message",
        "file_search_call",
        "function_call",
        "function_call_output",
        "computer_call",
        "computer_call_output",
        "web_search_call",
        "reasoning",
        "item_reference",
        "image_generation_call",
        "code_interpreter_call",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "custom_tool_call",
        "custom_tool_call_output",
    ],
)
ResponsesMessageRole = TypeAliasType("ResponsesMessageRole", Literal["system", "developer", "user", "assistant"])
KeptOutput = Annotated[
    Annotated[str, Tag(STRING)] | Annotated[list[ItemContent], Tag(ARRAY)],
    by_kind("a string", "an array of objects"),
]


class ResponsesUserMessageItemResource(Wire):
    """What the user said, showed or played."""

    id: str
    type: Literal["message"]
    role: Literal["user"]
    status: ItemStatus
    content: list[ItemContent]
    phase: MessagePhase | None = None


class ResponsesSystemMessageItemResource(Wire):
    """What the application told the model."""

    id: str
    type: Literal["message"]
    role: Literal["system"]
    status: ItemStatus
    content: list[ItemContent]
    phase: MessagePhase | None = None


class ResponsesDeveloperMessageItemResource(Wire):
    """What the application told the model, by the newer name of the role."""

    id: str
    type: Literal["message"]
    role: Literal["developer"]
    status: ItemStatus
    content: list[ItemContent]
    phase: MessagePhase | None = None


class ResponsesAssistantMessageItemResource(Wire):
    """What the model says."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    status: ItemStatus
    content: list[ItemContent]
    phase: MessagePhase | None = None


ResponsesMessageItemResource = TypeAliasType(
    "ResponsesMessageItemResource",
    Annotated[
        ResponsesUserMessageItemResource
        | ResponsesSystemMessageItemResource
        | ResponsesDeveloperMessageItemResource
        | ResponsesAssistantMessageItemResource,
        Field(discriminator="role"),
    ],
)


class FileSearchToolCallItemResource(Wire):
    """A search of files; `results` is null unless they were asked for."""

    id: str
    type: Literal["file_search_call"]
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"]
    queries: list[str]
    results: list[FileSearchToolCallResult] | None


class ComputerToolCallItemResource(Wire):
    """An action on the screen that the client is to do."""

    id: str
    type: Literal["computer_call"]
    status: ItemStatus
    call_id: str
    action: ComputerAction
    pending_safety_checks: list[ComputerToolCallSafetyCheck]


class ComputerToolCallOutputItemResource(Wire):
    """What the screen showed after an action."""

    id: str
    type: Literal["computer_call_output"]
    status: ItemStatus
    call_id: str
    output: ComputerToolCallOutputItemOutput
    acknowledged_safety_checks: list[ComputerToolCallSafetyCheck] | None = None


class WebSearchToolCallItemResource(Wire):
    """A search of the web."""

    id: str
    type: Literal["web_search_call"]
    status: Literal["in_progress", "searching", "completed", "failed"]
    action: WebSearchAction


class FunctionToolCallItemResource(Wire):
    """A call of a function, which the client is to make."""

    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


class FunctionToolCallOutputItemResource(Wire):
    """What the client's function returned."""

    id: str
    type: Literal["function_call_output"]
    status: ItemStatus
    call_id: str
    output: KeptOutput


class CustomToolCallResource(Wire):
    """A call of a custom tool, which the client is to make."""

    id: str
    type: Literal["custom_tool_call"]
    status: ItemStatus
    call_id: str
    name: str
    input: str


class CustomToolCallOutputResource(Wire):
    """What the client's custom tool returned."""

    id: str
    type: Literal["custom_tool_call_output"]
    status: ItemStatus
    call_id: str
    output: KeptOutput


class ReasoningItemResource(Wire):
    """What the model thought: a summary where one was asked for, and the thoughts, encrypted on request."""

    id: str
    type: Literal["reasoning"]
    summary: list[ReasoningItemSummaryPart]
    content: list[ReasoningTextContent] | None = None
    encrypted_content: str | None = None
    status: ItemStatus | None = None


class ImageGenToolCallItemResource(Wire):
    """An image, in base64 once it is made."""

    id: str
    type: Literal["image_generation_call"]
    status: Literal["in_progress", "completed", "generating", "failed"]
    result: str | None
    action: Literal["generate", "edit", "auto"] | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    output_format: Literal["png", "webp", "jpeg"] | None = None
    quality: Literal["low", "medium", "high", "auto"] | None = None
    revised_prompt: str | None = None
    size: str | None = None


class CodeInterpreterToolCallItemResource(Wire):
    """Code that is run; `outputs` is null unless they were asked for."""

    id: str
    type: Literal["code_interpreter_call"]
    status: Literal["in_progress", "completed", "incomplete", "interpreting", "failed"]
    container_id: str
    code: str | None
    outputs: list[CodeInterpreterOutput] | None


class LocalShellToolCallItemResource(Wire):
    """A command that the client is to run."""

    id: str
    type: Literal["local_shell_call"]
    status: ItemStatus
    call_id: str
    action: LocalShellExecAction


class LocalShellToolCallOutputItemResource(Wire):
    """What a command printed."""

    id: str
    type: Literal["local_shell_call_output"]
    status: ItemStatus
    call_id: str | None = None
    output: str


class MCPListToolsItemResource(Wire):
    """The tools of a server."""

    id: str
    type: Literal["mcp_list_tools"]
    server_label: str
    tools: list[MCPListToolsTool]
    error: MCPError | None = None


class MCPApprovalRequestItemResource(Wire):
    """A call that the client is to approve."""

    id: str
    type: Literal["mcp_approval_request"]
    server_label: str
    name: str
    arguments: str


class MCPApprovalResponseItemResource(Wire):
    """Whether the client approved a call."""

    id: str
    type: Literal["mcp_approval_response"]
    approval_request_id: str
    approve: bool
    reason: str | None = None


class MCPCallItemResource(Wire):
    """A call of a server's tool, and what came of it."""

    id: str
    type: Literal["mcp_call"]
    status: Literal["in_progress", "completed", "incomplete", "calling", "failed"]
    server_label: str
    name: str
    arguments: str
    output: str | None
    error: MCPError | None
    approval_request_id: str | None


ItemResource = TypeAliasType(
    "ItemResource",
    Annotated[
        FileSearchToolCallItemResource
        | ComputerToolCallItemResource
        | ComputerToolCallOutputItemResource
        | WebSearchToolCallItemResource
        | FunctionToolCallItemResource
        | FunctionToolCallOutputItemResource
        | ReasoningItemResource
        | ImageGenToolCallItemResource
        | CodeInterpreterToolCallItemResource
        | LocalShellToolCallItemResource
        | LocalShellToolCallOutputItemResource
        | MCPListToolsItemResource
        | MCPApprovalRequestItemResource
        | MCPApprovalResponseItemResource
        | MCPCallItemResource
        | CustomToolCallResource
        | CustomToolCallOutputResource
        | ResponsesMessageItemResource,
        Field(discriminator="type"),
    ],
)


class ResponseItemList(Wire):
    """A page of the items that a response was asked with."""

    object: Literal["list"]
    data: list[ItemResource]
    first_id: str | None
    last_id: str | None
    has_more: bool
