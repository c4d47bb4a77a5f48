"""What a response is asked with."""

from typing import Annotated, Literal

from pydantic import Field, Tag, ValidationInfo, field_validator
from typing_extensions import TypeAliasType

from smalt.schemas.chat.request import (
    ModerationParam,
    PromptCacheOptionsParam,
    ReasoningEffort,
    needs,
)
from smalt.schemas.chat.tools import ParallelToolCalls
from smalt.schemas.responses.choices import ToolChoiceParam
from smalt.schemas.responses.content import MOST_CHARACTERS, InputContent
from smalt.schemas.responses.formats import ResponseTextParam
from smalt.schemas.responses.item_params import ItemParam
from smalt.schemas.responses.tools import Tool
from smalt.schemas.wire import ARRAY, OBJECT, STRING, Body, Metadata, Request, Temperature, TopP, by_kind

LEAST_OUTPUT_TOKENS = 16

Includable = TypeAliasType(
    "Includable",
    Literal[
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
        "web_search_call.action.sources",
    ],
)
ServiceTierResponses = TypeAliasType(
    "ServiceTierResponses", Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"]
)
ResponsePromptVariables = TypeAliasType(
    "ResponsePromptVariables",
    dict[
        str,
        Annotated[Annotated[str, Tag(STRING)] | Annotated[InputContent, Tag(OBJECT)], by_kind("a string", "an object")],
    ],
)
ReasoningSummary = Literal["auto", "concise", "detailed"]


class Prompt(Request):
    """A kept template for instructions and messages, and what to put into it."""

    id: str
    version: str | None = None
    variables: ResponsePromptVariables | None = None


class Reasoning(Request):
    """How much to think, and what to tell of it."""

    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = Field(None, description="How to tell what was thought; null tells nothing.")
    generate_summary: ReasoningSummary | None = Field(
        None, description="The older name of summary.", json_schema_extra={"deprecated": True}
    )
    context: Literal["auto", "current_turn", "all_turns"] | None = Field(
        None, description="Which thoughts the model is told again: those since the last question, or all."
    )
    mode: Literal["standard", "pro"] | None = Field(None, description="Only standard is served.")


class ResponseStreamOptions(Request):
    """How a response is streamed."""

    include_obfuscation: bool | None = Field(None, description="Hide the length of deltas with random padding.")


class ConversationObjectParam(Request):
    """Names a conversation."""

    id: str


ConversationParam = TypeAliasType(
    "ConversationParam",
    Annotated[
        Annotated[str, Tag(STRING)] | Annotated[ConversationObjectParam, Tag(OBJECT)], by_kind("a string", "an object")
    ],
)


class ContextManagementParam(Request):
    """A way to make room in the context."""

    type: str
    compact_threshold: Annotated[int, Field(ge=1000)] | None = None


InputParam = TypeAliasType(
    "InputParam",
    Annotated[
        Annotated[str, Field(max_length=MOST_CHARACTERS), Tag(STRING)] | Annotated[list[ItemParam], Tag(ARRAY)],
        by_kind("a string", "an array of objects"),
    ],
)


class AzureCreateResponse(Body):
    """Asks for a response."""

    model: str = Field(description="A deployment, a model or an alias.")
    input: InputParam | None = Field(
        None, description="What the user says, or items: messages, calls and their outputs."
    )
    instructions: str | None = Field(
        None, description="What the model is told first; it does not carry over to a response that follows this one."
    )
    previous_response_id: str | None = Field(None, description="The stored response that this one follows.")
    conversation: ConversationParam | None = Field(
        None, description="The conversation to go on with, which then gets the items of this response."
    )
    prompt: Prompt | None = None
    stream: bool | None = Field(
        None, description="Send events while the response is made.", json_schema_extra={"default": False}
    )
    stream_options: ResponseStreamOptions | None = Field(None, description="Allowed only with stream.")
    background: bool | None = Field(
        None, description="Answer at once and go on in a job.", json_schema_extra={"default": False}
    )
    store: bool | None = Field(
        None, description="Keep the response, to be read and followed.", json_schema_extra={"default": True}
    )
    include: list[Includable] | None = Field(None, description="What to show beside the usual.")
    tools: list[Tool] | None = Field(None, max_length=128, description="Tools that the model may call.")
    tool_choice: ToolChoiceParam | None = Field(None, description="Which tool to call, if any.")
    parallel_tool_calls: ParallelToolCalls | None = Field(None, json_schema_extra={"default": True})
    max_tool_calls: int | None = Field(None, ge=1, description="Most calls of Smalt's own tools.")
    max_output_tokens: int | None = Field(
        None, ge=LEAST_OUTPUT_TOKENS, description="Most tokens to write, thoughts and calls included."
    )
    text: ResponseTextParam | None = None
    reasoning: Reasoning | None = None
    truncation: Literal["auto", "disabled"] | None = Field(
        None,
        description="With auto, the oldest items are left out when not everything fits into the model's context.",
        json_schema_extra={"default": "disabled"},
    )
    temperature: Temperature | None = Field(
        None, description="How freely tokens are drawn.", json_schema_extra={"default": 1}
    )
    top_p: TopP | None = Field(
        None, description="Draw from the likeliest tokens of this share.", json_schema_extra={"default": 1}
    )
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = Field(
        None, description="How many alternatives to each token to return."
    )
    metadata: Metadata | None = None
    user: str | None = Field(None, description="Who the request is for, in the caller's own words.")
    safety_identifier: Annotated[str, Field(max_length=64)] | None = None
    service_tier: ServiceTierResponses | None = Field(None, json_schema_extra={"default": "auto"})
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    prompt_cache_options: PromptCacheOptionsParam | None = None
    context_management: Annotated[list[ContextManagementParam], Field(min_length=1)] | None = None
    moderation: ModerationParam | None = None

    @field_validator("stream_options")
    @classmethod
    def _stream_options_need_stream(
        cls, value: ResponseStreamOptions | None, info: ValidationInfo
    ) -> ResponseStreamOptions | None:
        return needs(value, "stream", info)
