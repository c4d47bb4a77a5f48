"""What a chat completion answers, whole and in chunks."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from smalt.schemas.chat.messages import ChatCompletionRole
from smalt.schemas.chat.request import ServiceTier
from smalt.schemas.chat.tools import (
    ChatCompletionFunctionCall,
    ChatCompletionFunctionCallChunk,
    ChatCompletionMessageToolCallChunk,
    ChatCompletionMessageToolCallsItem,
)
from smalt.schemas.content_filter import (
    AzureContentFilterOffsets,
    AzureContentFilterResultForChoice,
    AzureContentFilterResultForPrompt,
)
from smalt.schemas.on_your_data import AzureChatMessageContext
from smalt.schemas.wire import Metadata, Wire

ChatCompletionFinishReason = TypeAliasType(
    "ChatCompletionFinishReason", Literal["stop", "length", "tool_calls", "content_filter", "function_call"]
)


class ChatCompletionTopLogprob(Wire):
    """A token that was likely in a place, with its log-probability."""

    token: str
    logprob: float
    bytes: list[int] | None


class ChatCompletionTokenLogprob(Wire):
    """The token in a place, and the likeliest tokens there."""

    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[ChatCompletionTopLogprob]


class ChatCompletionChoiceLogprobs(Wire):
    """The log-probabilities of a choice's tokens."""

    content: list[ChatCompletionTokenLogprob] | None
    refusal: list[ChatCompletionTokenLogprob] | None


class CompletionTokensDetails(Wire):
    """What the tokens of an answer were spent on."""

    accepted_prediction_tokens: int = 0
    audio_tokens: int = 0
    reasoning_tokens: int = 0
    rejected_prediction_tokens: int = 0
    text_tokens: int | None = None


class PromptTokensDetails(Wire):
    """What the tokens of a prompt are."""

    audio_tokens: int = 0
    cached_tokens: int = 0
    text_tokens: int | None = None
    image_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionUsage(Wire):
    """The tokens of a request and its answers."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class ChatCompletionUrlCitation(Wire):
    """A web page that a stretch of the answer rests on."""

    start_index: int
    end_index: int
    url: str
    title: str


class ChatCompletionAnnotation(Wire):
    """A note on the answer."""

    type: Literal["url_citation"]
    url_citation: ChatCompletionUrlCitation


class ChatCompletionMessageAudio(Wire):
    """A spoken answer."""

    id: str
    expires_at: int
    data: str
    transcript: str


class ChatCompletionMessageAudioChunk(Wire):
    """A piece of a spoken answer."""

    id: str | None = None
    expires_at: int | None = None
    data: str | None = None
    transcript: str | None = None


class ChatCompletionResponseMessage(Wire):
    """The assistant's message."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    annotations: list[ChatCompletionAnnotation] | None = None
    audio: ChatCompletionMessageAudio | None = None
    function_call: ChatCompletionFunctionCall | None = None
    tool_calls: ChatCompletionMessageToolCallsItem | None = None


class AzureChatCompletionResponseMessage(ChatCompletionResponseMessage):
    """The assistant's message, with its thoughts and sources."""

    context: AzureChatMessageContext | None = None
    end_turn: bool | None = None
    reasoning_content: str | None = None


class AzureChatCompletionChoice(Wire):
    """One of the answers; it has no message when the content filter has blocked it."""

    index: int
    message: AzureChatCompletionResponseMessage | None = None
    finish_reason: ChatCompletionFinishReason
    logprobs: ChatCompletionChoiceLogprobs | None
    content_filter_results: AzureContentFilterResultForChoice | None = None


class ModerationResultBody(Wire):
    """What a moderation model says of one text."""

    type: Literal["moderation_result"]
    model: str
    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[Literal["text", "image"]]]


class ChatCompletionModerationResults(Wire):
    """What a moderation model says of one side of the conversation."""

    type: Literal["moderation_results"]
    model: str
    results: list[ModerationResultBody]


class ChatCompletionModerationError(Wire):
    """Why one side of the conversation could not be moderated."""

    type: Literal["error"]
    code: str
    message: str


ModerationOutcome = Annotated[
    ChatCompletionModerationResults | ChatCompletionModerationError, Field(discriminator="type")
]


class ChatCompletionModeration(Wire):
    """What moderation says of both sides of the conversation."""

    input: ModerationOutcome
    output: ModerationOutcome


class AzureCreateChatCompletionResponse(Wire):
    """A whole chat completion."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[AzureChatCompletionChoice]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
    prompt_filter_results: list[AzureContentFilterResultForPrompt] | None = None
    service_tier: ServiceTier | None = None
    metadata: Metadata | None = None
    moderation: ChatCompletionModeration | None = None


class ChatCompletionStreamResponseDelta(Wire):
    """What a chunk adds to a message."""

    role: ChatCompletionRole | None = None
    content: str | None = None
    refusal: str | None = None
    audio: ChatCompletionMessageAudioChunk | None = None
    function_call: ChatCompletionFunctionCallChunk | None = None
    tool_calls: list[ChatCompletionMessageToolCallChunk] | None = None


class AzureChatCompletionStreamResponseDelta(ChatCompletionStreamResponseDelta):
    """What a chunk adds to a message, its thoughts and sources."""

    context: AzureChatMessageContext | None = None
    reasoning_content: str | None = None


class AzureChatCompletionStreamChoice(Wire):
    """What a chunk adds to one of the answers."""

    index: int
    delta: AzureChatCompletionStreamResponseDelta | None = None
    finish_reason: ChatCompletionFinishReason | None
    logprobs: ChatCompletionChoiceLogprobs | None = None
    end_turn: bool | None = None
    content_filter_results: AzureContentFilterResultForChoice | None = None
    content_filter_offsets: AzureContentFilterOffsets | None = None


class AzureCreateChatCompletionStreamResponse(Wire):
    """A chunk of a streamed chat completion."""

    id: str
    object: Literal["chat.completion.chunk", ""]
    created: int
    model: str
    choices: list[AzureChatCompletionStreamChoice]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
    prompt_filter_results: list[AzureContentFilterResultForPrompt] | None = None
    delta: AzureChatCompletionStreamResponseDelta | None = None
    content_filter_results: AzureContentFilterResultForChoice | None = None
    service_tier: ServiceTier | None = None
    obfuscation: str | None = None
    moderation: ChatCompletionModeration | None = None


class StoredChatCompletion(AzureCreateChatCompletionResponse):
    """A completion that was kept, with what it was asked with."""

    request_id: str | None = None
    tool_choice: Any = None
    tools: list[dict[str, Any]] | None = None
    response_format: dict[str, Any] | None = None
    seed: int | None = None
    top_p: float | None = None
    temperature: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    input_user: str | None = None


class ChatCompletionList(Wire):
    """A page of stored completions."""

    object: Literal["list"]
    data: list[StoredChatCompletion]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ChatCompletionStoredMessage(Wire):
    """A message of a stored completion, with its id."""

    id: str
    role: ChatCompletionRole
    content: str | None
    refusal: str | None = None
    name: str | None = None
    content_parts: list[Annotated[dict[str, Any], Field(description="A part as it was sent.")]] | None = None
    annotations: list[ChatCompletionAnnotation] | None = None
    audio: ChatCompletionMessageAudio | None = None
    function_call: ChatCompletionFunctionCall | None = None
    tool_calls: ChatCompletionMessageToolCallsItem | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None


class ChatCompletionMessageList(Wire):
    """A page of a stored completion's messages."""

    object: Literal["list"]
    data: list[ChatCompletionStoredMessage]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ChatCompletionDeleted(Wire):
    """Says that a stored completion is gone."""

    object: Literal["chat.completion.deleted"]
    id: str
    deleted: bool
