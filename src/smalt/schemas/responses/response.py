"""What a response is answered with."""

from typing import Annotated, Any, Literal

from pydantic import Field, Tag
from typing_extensions import TypeAliasType

from smalt.schemas.chat.response import ModerationResultBody
from smalt.schemas.content_filter import (
    AzureContentFilterOffsets,
    AzureContentFilterPromptResults,
    AzureContentFilterResultForChoice,
)
from smalt.schemas.responses.choices import ToolChoiceParam
from smalt.schemas.responses.formats import ResponseTextParam
from smalt.schemas.responses.items import ItemResource
from smalt.schemas.responses.request import Prompt, Reasoning, ServiceTierResponses
from smalt.schemas.responses.tools import Tool
from smalt.schemas.wire import ARRAY, STRING, Metadata, Temperature, TopP, Wire, by_kind

ResponseErrorCode = TypeAliasType(
    "ResponseErrorCode",
    Literal[
        "server_error",
        "rate_limit_exceeded",
        "invalid_prompt",
        "vector_store_timeout",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    ],
)


class ResponseError(Wire):
    """Why a response failed."""

    code: ResponseErrorCode
    message: str


class ResponseIncompleteDetails(Wire):
    """Why a response ended before the model had said everything."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseInputTokensDetails(Wire):
    """What the tokens of the input were."""

    cached_tokens: int
    cache_write_tokens: int


class ResponseOutputTokensDetails(Wire):
    """What the tokens of the output were spent on."""

    reasoning_tokens: int


class ResponseUsage(Wire):
    """How many tokens a response took, over all of its turns."""

    input_tokens: int
    input_tokens_details: ResponseInputTokensDetails
    output_tokens: int
    output_tokens_details: ResponseOutputTokensDetails
    total_tokens: int


class ResponseConversation(Wire):
    """The conversation that a response belongs to."""

    id: str


class ResponseContentFilter(Wire):
    """What a content filter said of the prompt or of the answer."""

    blocked: bool
    source_type: Literal["prompt", "completion"]
    content_filter_raw: list[Any] | None = None
    content_filter_results: AzureContentFilterPromptResults | AzureContentFilterResultForChoice
    content_filter_offsets: AzureContentFilterOffsets | None = None


class ModerationErrorBody(Wire):
    """Why one side of a response could not be moderated."""

    type: Literal["error"]
    code: str
    message: str


ModerationOutcomeBody = Annotated[ModerationResultBody | ModerationErrorBody, Field(discriminator="type")]


class Moderation(Wire):
    """What a moderation model says of both sides of a response."""

    input: ModerationOutcomeBody
    output: ModerationOutcomeBody


class AzureResponse(Wire):
    """A response: what was asked, what came of it, and where it stands; fields without a value are null, not absent."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"]
    background: bool
    completed_at: int | None
    content_filters: list[ResponseContentFilter] | None = None
    conversation: ResponseConversation | None = None
    error: ResponseError | None
    frequency_penalty: float
    incomplete_details: ResponseIncompleteDetails | None
    instructions: (
        Annotated[
            Annotated[str, Tag(STRING)] | Annotated[list[ItemResource], Tag(ARRAY)],
            by_kind("a string", "an array of objects"),
        ]
        | None
    )
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: Metadata | None
    model: str
    moderation: Moderation | None = None
    output: list[ItemResource]
    output_text: str | None = None
    parallel_tool_calls: bool
    presence_penalty: float
    previous_response_id: str | None
    prompt: Prompt | None = None
    prompt_cache_key: str | None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    reasoning: Reasoning | None
    safety_identifier: Annotated[str, Field(max_length=64)] | None
    service_tier: ServiceTierResponses
    store: bool
    temperature: Temperature | None
    text: ResponseTextParam
    tool_choice: ToolChoiceParam
    tools: list[Tool]
    top_logprobs: Annotated[int, Field(ge=0, le=20)]
    top_p: TopP | None
    truncation: Literal["auto", "disabled"]
    usage: ResponseUsage | None
    user: str | None


Response = TypeAliasType("Response", AzureResponse)


class DeleteResponse(Wire):
    """Says that a response is gone."""

    id: str
    object: Literal["response.deleted"]
    deleted: bool
