"""Embeddings: texts in, vectors out."""

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from smalt.schemas.wire import STRING, Body, TokenIds, Wire, chosen_by

MAX_INPUTS = 2048


def prompt_kind(value: Any) -> str | None:
    """Tell a text, texts, tokens and lists of tokens apart by the first item."""
    match value:
        case str():
            return STRING
        case [str(), *_] | []:
            return "(strings)"
        case [int(), *_]:
            return "(tokens)"
        case [list(), *_]:
            return "(token lists)"
        case _:
            return None


PROMPT_KIND = chosen_by(prompt_kind, "a string", "an array of strings, of token ids or of arrays of token ids")

EmbeddingInput = Annotated[
    Annotated[str, Field(min_length=1), Tag(STRING)]
    | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MAX_INPUTS), Tag("(strings)")]
    | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), Tag("(tokens)")]
    | Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_INPUTS), Tag("(token lists)")],
    PROMPT_KIND,
]


class AzureCreateEmbeddingRequest(Body):
    """Asks for the vectors of texts."""

    model: str
    input: EmbeddingInput = Field(description="One text or several, as strings or as token ids.")
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="How each vector is written.", json_schema_extra={"default": "float"}
    )
    dimensions: int | None = Field(None, ge=1, description="Cut vectors to this many numbers.")
    user: str | None = Field(None, description="Who the request is for, in the caller's own words.")


class Embedding(Wire):
    """The vector of one input."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Wire):
    """How many tokens the inputs have."""

    prompt_tokens: int
    total_tokens: int


class CreateEmbeddingResponse(Wire):
    """The vectors, in the order of the inputs."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
