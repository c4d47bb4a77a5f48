"""Edits, the way before chat: an instruction carried out on a text."""

from typing import Annotated, Literal

from pydantic import Field

from smalt.schemas.chat.response import CompletionUsage
from smalt.schemas.wire import Body, Temperature, TopP, Wire

Edits = Annotated[int, Field(ge=1, le=20)]


class CreateEditRequest(Body):
    """Asks for a text to be changed as an instruction says."""

    model: str = Field(description="A deployment, a model or an alias that can chat.")
    instruction: str = Field(description="What is to be done with the text.")
    input: str | None = Field(None, description="The text to start from.", json_schema_extra={"default": ""})
    n: Edits | None = Field(None, description="How many edits to make.", json_schema_extra={"default": 1})
    temperature: Temperature | None = Field(
        None, description="How freely tokens are drawn.", json_schema_extra={"default": 1}
    )
    top_p: TopP | None = Field(
        None, description="Draw from the likeliest tokens of this share.", json_schema_extra={"default": 1}
    )


class EditChoice(Wire):
    """One edit; a blocked one has no text."""

    text: str
    index: int
    finish_reason: Literal["stop", "length", "content_filter"]


class CreateEditResponse(Wire):
    """The text as it was changed, once or several times."""

    object: Literal["edit"]
    created: int
    choices: list[EditChoice]
    usage: CompletionUsage
