"""What a chat completion is asked with."""

from typing import Annotated, Literal, TypeVar

from pydantic import Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from smalt.schemas.chat.formats import ChatOutputPrediction, ResponseFormat
from smalt.schemas.chat.messages import ChatCompletionRequestMessage
from smalt.schemas.chat.tools import (
    ChatCompletionFunctions,
    ChatCompletionToolChoiceOption,
    ChatTool,
    FunctionCallOption,
    ParallelToolCalls,
)
from smalt.schemas.on_your_data import AzureChatDataSource
from smalt.schemas.wire import (
    ARRAY,
    OBJECT,
    STRING,
    Body,
    Choices,
    LogitBias,
    Metadata,
    Penalty,
    Request,
    Seed,
    Temperature,
    TopP,
    by_kind,
    open_enum,
)

Value = TypeVar("Value")

StopConfiguration = TypeAliasType(
    "StopConfiguration",
    Annotated[
        Annotated[str, Tag(STRING)] | Annotated[list[str], Field(min_length=1, max_length=4), Tag(ARRAY)],
        by_kind("a string", "an array of strings"),
    ],
)
ReasoningEffort = TypeAliasType("ReasoningEffort", Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"])
ResponseModalities = TypeAliasType("ResponseModalities", list[Literal["text", "audio"]])
ServiceTier = TypeAliasType("ServiceTier", Literal["auto", "default", "flex", "scale", "priority", "fast"])
Verbosity = TypeAliasType("Verbosity", Literal["low", "medium", "high"])
WebSearchContextSize = TypeAliasType("WebSearchContextSize", Literal["low", "medium", "high"])
VoiceIdsShared = TypeAliasType(
    "VoiceIdsShared",
    Annotated[
        str,
        open_enum(
            "alloy",
            "ash",
            "ballad",
            "coral",
            "echo",
            "fable",
            "onyx",
            "nova",
            "sage",
            "shimmer",
            "verse",
            "marin",
            "cedar",
        ),
    ],
)


class ChatCompletionStreamOptions(Request):
    """How an answer is streamed."""

    include_usage: bool | None = Field(None, description="Send the token counts in a last chunk.")
    include_obfuscation: bool | None = Field(None, description="Hide the length of chunks with random padding.")


class CustomVoice(Request):
    """Names a voice made by the caller."""

    id: str


class ChatCompletionAudioOptions(Request):
    """How a spoken answer sounds."""

    voice: Annotated[
        Annotated[VoiceIdsShared, Tag(STRING)] | Annotated[CustomVoice, Tag(OBJECT)],
        by_kind("a string", "an object"),
    ]
    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]


class WebSearchLocation(Request):
    """Roughly where the user is."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None


class WebSearchUserLocation(Request):
    """Roughly where the user is, for searches."""

    type: Literal["approximate"]
    approximate: WebSearchLocation


class WebSearchOptions(Request):
    """How the web is searched."""

    user_location: WebSearchUserLocation | None = None
    search_context_size: WebSearchContextSize | None = Field(None, json_schema_extra={"default": "medium"})


class AzureUserSecurityContext(Request):
    """Who is behind the request, for security monitoring."""

    application_name: str | None = None
    end_user_id: str | None = None
    end_user_tenant_id: str | None = None
    source_ip: str | None = None


class PromptCacheOptionsParam(Request):
    """How long and how prompts are cached."""

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m"] | None = None


class ModerationConfigParam(Request):
    """What is done about what is flagged."""

    mode: Literal["score", "block"]


class ModerationPolicyParam(Request):
    """What is done about either side of the conversation."""

    input: ModerationConfigParam | None = None
    output: ModerationConfigParam | None = None


class ModerationParam(Request):
    """Which model moderates the conversation."""

    model: str
    policy: ModerationPolicyParam | None = None


class MetadataPropertyForRequest(Body):
    """Pairs of strings to keep with an object."""

    metadata: Metadata | None = None


class AzureCreateChatCompletionRequest(MetadataPropertyForRequest):
    """Asks for the next message of a conversation."""

    model: str = Field(description="A deployment, a model or an alias.")
    messages: list[ChatCompletionRequestMessage] = Field(min_length=1, description="The conversation so far.")
    stream: bool | None = Field(
        None, description="Send the answer piece by piece.", json_schema_extra={"default": False}
    )
    stream_options: ChatCompletionStreamOptions | None = Field(None, description="Allowed only with stream.")
    n: Choices | None = Field(None, description="How many answers to make.", json_schema_extra={"default": 1})
    max_completion_tokens: int | None = Field(None, ge=1, description="Most tokens of one answer.")
    max_tokens: int | None = Field(
        None, ge=1, description="The older name of max_completion_tokens.", json_schema_extra={"deprecated": True}
    )
    stop: StopConfiguration | None = Field(None, description="Up to 4 texts that end the answer.")
    temperature: Temperature | None = Field(
        None, description="How freely tokens are drawn.", json_schema_extra={"default": 1}
    )
    top_p: TopP | None = Field(
        None, description="Draw from the likeliest tokens of this share.", json_schema_extra={"default": 1}
    )
    frequency_penalty: Penalty | None = Field(
        None, description="Make frequent tokens less likely.", json_schema_extra={"default": 0}
    )
    presence_penalty: Penalty | None = Field(
        None, description="Make tokens that occurred less likely.", json_schema_extra={"default": 0}
    )
    logit_bias: LogitBias | None = Field(None, description="Added to the logits of tokens, by the model's token ids.")
    seed: Seed | None = Field(None, description="The same seed and request give the same answer where possible.")
    logprobs: bool | None = Field(
        None, description="Return the log-probabilities of tokens.", json_schema_extra={"default": False}
    )
    top_logprobs: int | None = Field(
        None, ge=0, le=20, description="How many alternatives to each token to return; needs logprobs."
    )
    response_format: ResponseFormat | None = Field(None, description="The form of the answer.")
    tools: list[ChatTool] | None = Field(None, max_length=128, description="Tools that the model may call.")
    tool_choice: ChatCompletionToolChoiceOption | None = Field(None, description="Which tool to call, if any.")
    parallel_tool_calls: ParallelToolCalls | None = Field(None, json_schema_extra={"default": True})
    functions: list[ChatCompletionFunctions] | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="The older way to offer tools.",
        json_schema_extra={"deprecated": True},
    )
    function_call: FunctionCallOption | None = Field(
        None, description="The older way to choose a tool.", json_schema_extra={"deprecated": True}
    )
    reasoning_effort: ReasoningEffort | None = Field(None, description="How much to think before the answer.")
    verbosity: Verbosity | None = Field(None, description="How long the answer should be.")
    prediction: ChatOutputPrediction | None = Field(None, description="What the answer will mostly repeat.")
    modalities: ResponseModalities | None = Field(None, description="Text, sound or both.")
    audio: ChatCompletionAudioOptions | None = Field(None, description="How a spoken answer sounds.")
    store: bool | None = Field(
        None, description="Keep the completion, to be read again later.", json_schema_extra={"default": False}
    )
    user: str | None = Field(None, description="Who the request is for, in the caller's own words.")
    user_security_context: AzureUserSecurityContext | None = None
    data_sources: list[AzureChatDataSource] | None = Field(None, description="Documents to answer from.")
    service_tier: ServiceTier | None = None
    safety_identifier: Annotated[str, Field(max_length=64)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    prompt_cache_options: PromptCacheOptionsParam | None = None
    web_search_options: WebSearchOptions | None = None
    moderation: ModerationParam | None = None

    @field_validator("top_logprobs")
    @classmethod
    def _top_logprobs_need_logprobs(cls, value: int | None, info: ValidationInfo) -> int | None:
        return needs(value, "logprobs", info)

    @field_validator("stream_options")
    @classmethod
    def _stream_options_need_stream(
        cls, value: ChatCompletionStreamOptions | None, info: ValidationInfo
    ) -> ChatCompletionStreamOptions | None:
        return needs(value, "stream", info)


def needs(value: Value, switch: str, info: ValidationInfo) -> Value:
    """Return `value`, or refuse it when it is there but the field `switch` before it is not on."""
    if value is not None and not info.data.get(switch):
        raise PydanticCustomError("not_allowed", "it is allowed only when '{switch}' is true", {"switch": switch})
    return value


class UpdateChatCompletionRequest(Body):
    """Asks to replace the metadata of a stored completion."""

    metadata: Metadata | None
