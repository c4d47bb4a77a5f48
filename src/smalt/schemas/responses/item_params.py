"""The items that a client may send: messages, calls that were made earlier, what came of them, references."""

from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, ConfigDict, Field, Tag
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
    MCPToolCallError,
    ReasoningItemSummaryPart,
    WebSearchAction,
)
from smalt.schemas.responses.content import MessageContent, ReasoningTextContent, ToolOutput
from smalt.schemas.wire import OBJECT, STRING, Request, by_kind

MessagePhase = TypeAliasType("MessagePhase", Literal["commentary", "final_answer"])
CallId = Annotated[str, Field(min_length=1, max_length=64)]
MCPError = Annotated[
    Annotated[str, Tag(STRING)] | Annotated[MCPToolCallError, Tag(OBJECT)], by_kind("a string", "an object")
]


class KeptItemParam(Request):
    """What a client sends; it is kept and shown, so that fields which nobody knows are dropped."""

    model_config = ConfigDict(extra="ignore")


def _may_go_untyped(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that `type` may be left out: `_typed` puts it in."""
    schema["required"] = [name for name in schema["required"] if name != "type"]


def _may_have_null_type(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that `type` may also be null, as OpenAI has it for references."""
    _may_go_untyped(schema)
    schema["properties"]["type"] = {"anyOf": [schema["properties"]["type"], {"type": "null"}]}


class MessageItemParam(KeptItemParam):
    """What all messages have in common."""

    model_config = ConfigDict(json_schema_extra=_may_go_untyped)

    type: Literal["message"]
    content: MessageContent
    id: str | None = None
    status: ItemStatus | None = None
    phase: MessagePhase | None = None


class ImplicitUserMessage(KeptItemParam):
    """What the user says, without a word on who says it, and with nothing else."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    content: MessageContent


class ResponsesUserMessageItemParam(MessageItemParam):
    """What the user says, shows or plays."""

    role: Literal["user"]


class ResponsesSystemMessageItemParam(MessageItemParam):
    """What the application tells the model."""

    role: Literal["system"]


class ResponsesDeveloperMessageItemParam(MessageItemParam):
    """What the application tells the model, by the newer name of the role."""

    role: Literal["developer"]


class ResponsesAssistantMessageItemParam(MessageItemParam):
    """What the model said earlier."""

    role: Literal["assistant"]


ResponsesMessageItemParam = TypeAliasType(
    "ResponsesMessageItemParam",
    Annotated[
        ResponsesUserMessageItemParam
        | ResponsesSystemMessageItemParam
        | ResponsesDeveloperMessageItemParam
        | ResponsesAssistantMessageItemParam,
        Field(discriminator="role"),
    ],
)


class FileSearchToolCallItemParam(KeptItemParam):
    """A search of files that was made earlier."""

    type: Literal["file_search_call"]
    id: str | None = None
    queries: list[str]
    results: list[FileSearchToolCallResult] | None = None
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"] | None = None


class ComputerToolCallItemParam(KeptItemParam):
    """An action on the screen that was asked for earlier."""

    type: Literal["computer_call"]
    id: str | None = None
    call_id: CallId
    action: ComputerAction
    pending_safety_checks: list[ComputerToolCallSafetyCheck]
    status: ItemStatus | None = None


class ComputerToolCallOutputItemParam(KeptItemParam):
    """What the screen shows after an action."""

    type: Literal["computer_call_output"]
    id: str | None = None
    call_id: CallId
    output: ComputerToolCallOutputItemOutput
    acknowledged_safety_checks: list[ComputerToolCallSafetyCheck] | None = None
    status: ItemStatus | None = None


class WebSearchToolCallItemParam(KeptItemParam):
    """A search of the web that was made earlier."""

    type: Literal["web_search_call"]
    id: str | None = None
    action: WebSearchAction
    status: Literal["in_progress", "searching", "completed", "failed"] | None = None


class FunctionToolCallItemParam(KeptItemParam):
    """A call of the client's function that the model made earlier."""

    type: Literal["function_call"]
    id: str | None = None
    call_id: CallId
    name: str
    arguments: str
    status: ItemStatus | None = None


class FunctionToolCallOutputItemParam(KeptItemParam):
    """What the client's function returned."""

    type: Literal["function_call_output"]
    id: str | None = None
    call_id: CallId
    output: ToolOutput
    status: ItemStatus | None = None


class CustomToolCallItemParam(KeptItemParam):
    """A call of the client's custom tool that the model made earlier."""

    type: Literal["custom_tool_call"]
    id: str | None = None
    call_id: CallId
    name: str
    input: str
    status: ItemStatus | None = None


class CustomToolCallOutputItemParam(KeptItemParam):
    """What the client's custom tool returned."""

    type: Literal["custom_tool_call_output"]
    id: str | None = None
    call_id: CallId
    output: ToolOutput
    status: ItemStatus | None = None


class ReasoningItemParam(KeptItemParam):
    """What the model thought earlier."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: list[ReasoningItemSummaryPart]
    content: list[ReasoningTextContent] | None = None
    encrypted_content: str | None = None
    status: ItemStatus | None = None


class ItemReferenceItemParam(KeptItemParam):
    """Stands for a stored item, whose id it has."""

    model_config = ConfigDict(json_schema_extra=_may_have_null_type)

    type: Literal["item_reference"]
    id: str


class ImageGenToolCallItemParam(KeptItemParam):
    """An image that was made earlier, in base64."""

    type: Literal["image_generation_call"]
    id: str | None = None
    result: str | None = None
    status: Literal["in_progress", "completed", "generating", "failed"] | None = None


class CodeInterpreterToolCallItemParam(KeptItemParam):
    """Code that was run earlier."""

    type: Literal["code_interpreter_call"]
    id: str | None = None
    container_id: str
    code: str | None = None
    outputs: list[CodeInterpreterOutput] | None = None
    status: Literal["in_progress", "completed", "incomplete", "interpreting", "failed"] | None = None


class LocalShellToolCallItemParam(KeptItemParam):
    """A command that was asked for earlier."""

    type: Literal["local_shell_call"]
    id: str | None = None
    call_id: CallId
    action: LocalShellExecAction
    status: ItemStatus | None = None


class LocalShellToolCallOutputItemParam(KeptItemParam):
    """What a command printed; `id` or `call_id` names the call that it answers."""

    type: Literal["local_shell_call_output"]
    id: str | None = None
    call_id: CallId | None = None
    output: str
    status: ItemStatus | None = None


class MCPListToolsItemParam(KeptItemParam):
    """The tools of a server, as they were listed earlier."""

    type: Literal["mcp_list_tools"]
    id: str | None = None
    server_label: str
    tools: list[MCPListToolsTool]
    error: MCPError | None = None


class MCPApprovalRequestItemParam(KeptItemParam):
    """A call that the client was asked to approve."""

    type: Literal["mcp_approval_request"]
    id: str | None = None
    server_label: str
    name: str
    arguments: str


class MCPApprovalResponseItemParam(KeptItemParam):
    """Approves a call, or does not."""

    type: Literal["mcp_approval_response"]
    id: str | None = None
    approval_request_id: str
    approve: bool
    reason: str | None = None


class MCPCallItemParam(KeptItemParam):
    """A call of a server's tool that was made earlier, and what came of it."""

    type: Literal["mcp_call"]
    id: str | None = None
    server_label: str
    name: str
    arguments: str
    output: str | None = None
    error: MCPError | None = None
    approval_request_id: str | None = None
    status: Literal["in_progress", "completed", "incomplete", "calling", "failed"] | None = None


def _typed(value: Any) -> Any:
    """Name the type of an item that goes without one: a message, or a reference when there is only an id."""
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    if "type" not in fields and "role" in fields:
        return {**fields, "type": "message"}
    if fields.keys() == {"content"}:
        return {**fields, "type": "message", "role": "user"}
    is_reference = fields.get("type") is None and "id" in fields and fields.keys().isdisjoint(("role", "content"))
    return {**fields, "type": "item_reference"} if is_reference else fields


ItemParam = TypeAliasType(
    "ItemParam",
    Annotated[
        Annotated[
            FileSearchToolCallItemParam
            | ComputerToolCallItemParam
            | ComputerToolCallOutputItemParam
            | WebSearchToolCallItemParam
            | FunctionToolCallItemParam
            | FunctionToolCallOutputItemParam
            | ReasoningItemParam
            | ItemReferenceItemParam
            | ImageGenToolCallItemParam
            | CodeInterpreterToolCallItemParam
            | LocalShellToolCallItemParam
            | LocalShellToolCallOutputItemParam
            | MCPListToolsItemParam
            | MCPApprovalRequestItemParam
            | MCPApprovalResponseItemParam
            | MCPCallItemParam
            | CustomToolCallItemParam
            | CustomToolCallOutputItemParam
            | ResponsesMessageItemParam,
            Field(discriminator="type"),
        ],
        BeforeValidator(_typed),
    ],
)
