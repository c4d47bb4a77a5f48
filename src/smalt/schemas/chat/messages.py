"""The messages of a conversation, one class per role."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError
from typing_extensions import TypeAliasType

from smalt.schemas.chat.parts import AssistantContent, SystemContent, ToolContent, UserContent
from smalt.schemas.wire import Request

ChatCompletionRole = TypeAliasType(
    "ChatCompletionRole", Literal["system", "developer", "user", "assistant", "tool", "function"]
)


class ChatCompletionRequestSystemMessage(Request):
    """What the application tells the model before the conversation."""

    role: Literal["system"]
    content: SystemContent
    name: str | None = None


class ChatCompletionRequestDeveloperMessage(Request):
    """The system message of newer models."""

    role: Literal["developer"]
    content: SystemContent
    name: str | None = None


class ChatCompletionRequestUserMessage(Request):
    """What the user says, shows or plays."""

    role: Literal["user"]
    content: UserContent
    name: str | None = None


class ChatCompletionAudioReference(Request):
    """Names an earlier spoken answer."""

    id: str


class RequestFunctionCall(Request):
    """A function call that the assistant made earlier."""

    name: str
    arguments: str


class RequestToolCall(Request):
    """A tool call that the assistant made earlier."""

    id: str
    type: Literal["function"]
    function: RequestFunctionCall


class RequestCustomCall(Request):
    """A custom tool's name and the text passed to it earlier."""

    name: str
    input: str


class RequestCustomToolCall(Request):
    """A call of a custom tool that the assistant made earlier."""

    id: str
    type: Literal["custom"]
    custom: RequestCustomCall


class ChatCompletionRequestAssistantMessage(Request):
    """What the assistant said, or which tools it called."""

    role: Literal["assistant"]
    refusal: str | None = None
    name: str | None = None
    audio: ChatCompletionAudioReference | None = None
    tool_calls: list[Annotated[RequestToolCall | RequestCustomToolCall, Field(discriminator="type")]] | None = None
    function_call: RequestFunctionCall | None = None
    reasoning_content: str | None = None
    content: AssistantContent | None = Field(
        None, validate_default=True, description="May be left out when the assistant called something."
    )

    @field_validator("content")
    @classmethod
    def _says_or_calls_something(cls, value: AssistantContent | None, info: ValidationInfo) -> AssistantContent | None:
        if value is None and not any(
            info.data.get(name) for name in ("tool_calls", "function_call", "refusal", "audio")
        ):
            raise PydanticKnownError("missing")
        return value


class ChatCompletionRequestToolMessage(Request):
    """What a called tool returned."""

    role: Literal["tool"]
    content: ToolContent
    tool_call_id: str


class ChatCompletionRequestFunctionMessage(Request):
    """What a called function returned, in the way before there were tools."""

    role: Literal["function"]
    name: str
    content: str | None


ChatCompletionRequestMessage = TypeAliasType(
    "ChatCompletionRequestMessage",
    Annotated[
        ChatCompletionRequestSystemMessage
        | ChatCompletionRequestDeveloperMessage
        | ChatCompletionRequestUserMessage
        | ChatCompletionRequestAssistantMessage
        | ChatCompletionRequestToolMessage
        | ChatCompletionRequestFunctionMessage,
        Field(discriminator="role"),
    ],
)
