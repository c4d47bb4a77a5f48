"""Text completions, the way before chat."""

from typing import Annotated, Literal

from pydantic import Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from smalt.schemas.chat.request import ChatCompletionStreamOptions, StopConfiguration, needs
from smalt.schemas.chat.response import CompletionUsage
from smalt.schemas.content_filter import AzureContentFilterResultForChoice, AzureContentFilterResultForPrompt
from smalt.schemas.embeddings import PROMPT_KIND
from smalt.schemas.wire import STRING, Body, Choices, LogitBias, Penalty, Seed, Temperature, TokenIds, TopP, Wire

Prompt = Annotated[
    Annotated[str, Tag(STRING)]
    | Annotated[list[str], Field(min_length=1), Tag("(strings)")]
    | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), Tag("(tokens)")]
    | Annotated[list[TokenIds], Field(min_length=1), Tag("(token lists)")],
    PROMPT_KIND,
]


class CreateCompletionRequest(Body):
    """Asks for the continuation of a text."""

    model: str = Field(description="A deployment, a model or an alias.")
    prompt: Prompt | None = Field(
        None, description="One text or several, as strings or token ids; none starts a new document."
    )
    suffix: str | None = Field(None, description="What comes after the text to be filled in.")
    echo: bool | None = Field(None, description="Return the prompt too.", json_schema_extra={"default": False})
    n: Choices | None = Field(None, description="How many texts per prompt.", json_schema_extra={"default": 1})
    best_of: int | None = Field(
        None, ge=0, le=20, description="Make this many, return the likeliest n.", json_schema_extra={"default": 1}
    )
    stream: bool | None = Field(
        None, description="Send the answer piece by piece.", json_schema_extra={"default": False}
    )
    stream_options: ChatCompletionStreamOptions | None = Field(None, description="Allowed only with stream.")
    max_tokens: int | None = Field(None, ge=0, description="Most tokens.", json_schema_extra={"default": 16})
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
    logprobs: int | None = Field(None, ge=0, le=5, description="How many likeliest tokens to return for each place.")
    seed: Seed | None = Field(None, description="The same seed and request give the same answer where possible.")
    user: str | None = Field(None, description="Who the request is for, in the caller's own words.")

    @field_validator("stream_options")
    @classmethod
    def _stream_options_need_stream(
        cls, value: ChatCompletionStreamOptions | None, info: ValidationInfo
    ) -> ChatCompletionStreamOptions | None:
        return needs(value, "stream", info)

    @field_validator("best_of")
    @classmethod
    def _best_of_covers_n(cls, value: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("n") or 1
        if value and value < least:
            raise PydanticCustomError("invalid_value", "it must be at least n, which is {n}", {"n": least})
        return value


class CompletionLogprobs(Wire):
    """The log-probabilities of a text's tokens, in four lists of one length."""

    text_offset: list[int]
    token_logprobs: list[float | None]
    tokens: list[str]
    top_logprobs: list[dict[str, float] | None] | None


class CompletionChoice(Wire):
    """One of the continuations."""

    index: int
    text: str
    finish_reason: Literal["stop", "length", "content_filter"] | None
    logprobs: CompletionLogprobs | None
    content_filter_results: AzureContentFilterResultForChoice | None = None


class CreateCompletionResponse(Wire):
    """A text completion, or a chunk of one."""

    id: str
    object: Literal["text_completion", ""]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
    prompt_filter_results: list[AzureContentFilterResultForPrompt] | None = None
