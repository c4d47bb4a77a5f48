"""The form that an answer must have, and how it may be predicted."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from smalt.schemas.chat.parts import PredictedContent
from smalt.schemas.wire import Name64, Request

ResponseFormatJsonSchemaSchema = TypeAliasType(
    "ResponseFormatJsonSchemaSchema", Annotated[dict[str, Any], Field(description="A JSON Schema.")]
)


class ResponseFormatText(Request):
    """Any text."""

    type: Literal["text"]


class ResponseFormatJsonObject(Request):
    """Any JSON object."""

    type: Literal["json_object"]


class ResponseFormatJsonSchemaOptions(Request):
    """The schema, its name and how strictly to hold to it."""

    name: Name64
    description: str | None = None
    schema_: ResponseFormatJsonSchemaSchema | None = Field(None, alias="schema")
    strict: bool | None = Field(None, json_schema_extra={"default": False})


class ResponseFormatJsonSchema(Request):
    """JSON that fits a schema."""

    type: Literal["json_schema"]
    json_schema: ResponseFormatJsonSchemaOptions


class ResponseFormatJSONSchemaRequest(Request):
    """JSON that fits a schema, as graders ask for it."""

    type: Literal["json_schema"]
    json_schema: ResponseFormatJsonSchemaOptions


ResponseFormat = TypeAliasType(
    "ResponseFormat",
    Annotated[
        ResponseFormatText | ResponseFormatJsonObject | ResponseFormatJsonSchema,
        Field(discriminator="type"),
    ],
)

ChatOutputPredictionType = TypeAliasType("ChatOutputPredictionType", Literal["content"])


class ChatOutputPredictionContent(Request):
    """Text that the answer will mostly repeat."""

    type: Literal["content"]
    content: PredictedContent


ChatOutputPrediction = TypeAliasType("ChatOutputPrediction", ChatOutputPredictionContent)
