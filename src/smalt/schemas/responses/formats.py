"""The form that a response's text must have."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from smalt.schemas.chat.formats import ResponseFormatJsonSchemaSchema
from smalt.schemas.chat.request import Verbosity
from smalt.schemas.wire import Name64, Request

ResponseTextFormatConfigurationType = TypeAliasType(
    "ResponseTextFormatConfigurationType", Literal["text", "json_object", "json_schema"]
)


class ResponseTextFormatConfigurationText(Request):
    """Any text."""

    type: Literal["text"]


class ResponseTextFormatConfigurationJsonObject(Request):
    """Any JSON object."""

    type: Literal["json_object"]


class ResponseTextFormatConfigurationJsonSchema(Request):
    """JSON that fits a schema."""

    type: Literal["json_schema"]
    name: Name64
    description: str | None = Field(None, description="What the form is for, told to the model.")
    schema_: ResponseFormatJsonSchemaSchema = Field(alias="schema")
    strict: bool | None = Field(
        None, description="Hold the answer to the schema exactly.", json_schema_extra={"default": False}
    )


ResponseTextFormatConfiguration = TypeAliasType(
    "ResponseTextFormatConfiguration",
    Annotated[
        ResponseTextFormatConfigurationText
        | ResponseTextFormatConfigurationJsonObject
        | ResponseTextFormatConfigurationJsonSchema,
        Field(discriminator="type"),
    ],
)


class ResponseTextParam(Request):
    """How the text of a response is written."""

    format: ResponseTextFormatConfiguration | None = None
    verbosity: Verbosity | None = None
