"""The tools that a chat request offers, how one is chosen, and how one is called."""

from typing import Annotated, Any, Literal

from pydantic import Field, Tag
from typing_extensions import TypeAliasType

from smalt.schemas.wire import OBJECT, STRING, Name64, Request, Wire, by_kind

FunctionParameters = TypeAliasType(
    "FunctionParameters",
    Annotated[dict[str, Any], Field(description="A JSON Schema for the arguments; none means no arguments.")],
)

ParallelToolCalls = TypeAliasType(
    "ParallelToolCalls", Annotated[bool, Field(description="Whether several tools may be called at once.")]
)


class FunctionObject(Request):
    """A function that the model may call."""

    name: Name64
    description: str | None = Field(None, description="When and how to call it, told to the model.")
    parameters: FunctionParameters | None = None
    strict: bool | None = Field(
        None, description="Hold the arguments to the schema exactly.", json_schema_extra={"default": False}
    )


class ChatCompletionTool(Request):
    """A function offered as a tool."""

    type: Literal["function"]
    function: FunctionObject


class CustomToolTextFormat(Request):
    """Any text may be passed to the tool."""

    type: Literal["text"]


class CustomToolGrammar(Request):
    """The grammar that the tool's input follows."""

    definition: str
    syntax: Literal["lark", "regex"]


class CustomToolGrammarFormat(Request):
    """Only text of a grammar may be passed to the tool."""

    type: Literal["grammar"]
    grammar: CustomToolGrammar


class CustomToolProperties(Request):
    """A tool that takes free text."""

    name: str
    description: str | None = None
    format: Annotated[CustomToolTextFormat | CustomToolGrammarFormat, Field(discriminator="type")] | None = None


class CustomToolChatCompletions(Request):
    """A tool whose input is text instead of JSON."""

    type: Literal["custom"]
    custom: CustomToolProperties


ChatTool = Annotated[ChatCompletionTool | CustomToolChatCompletions, Field(discriminator="type")]


class ChatCompletionFunctions(Request):
    """A function in the way it was offered before there were tools."""

    name: Name64
    description: str | None = None
    parameters: FunctionParameters | None = None


class ChatCompletionFunctionCallOption(Request):
    """Names the one function to call, in the way before there were tools."""

    name: str


FunctionCallOption = Annotated[
    Annotated[Literal["none", "auto"], Tag(STRING)] | Annotated[ChatCompletionFunctionCallOption, Tag(OBJECT)],
    by_kind("a string", "an object"),
]


class ToolName(Request):
    """The name of a tool."""

    name: str


class ChatCompletionNamedToolChoice(Request):
    """Names the one function to call."""

    type: Literal["function"]
    function: ToolName


class ChatCompletionNamedToolChoiceCustom(Request):
    """Names the one custom tool to call."""

    type: Literal["custom"]
    custom: ToolName


class ChatCompletionAllowedTools(Request):
    """The tools that may be called this time, out of those offered."""

    mode: Literal["auto", "required"]
    tools: list[dict[str, Any]]


class ChatCompletionAllowedToolsChoice(Request):
    """Narrows the offered tools down."""

    type: Literal["allowed_tools"]
    allowed_tools: ChatCompletionAllowedTools


ChatCompletionToolChoiceOption = TypeAliasType(
    "ChatCompletionToolChoiceOption",
    Annotated[
        Annotated[Literal["none", "auto", "required"], Tag(STRING)]
        | Annotated[
            Annotated[
                ChatCompletionNamedToolChoice | ChatCompletionNamedToolChoiceCustom | ChatCompletionAllowedToolsChoice,
                Field(discriminator="type"),
            ],
            Tag(OBJECT),
        ],
        by_kind("a string", "an object"),
    ],
)


class ChatCompletionFunctionCall(Wire):
    """A function's name and the JSON text of its arguments."""

    name: str
    arguments: str


class ChatCompletionMessageToolCall(Wire):
    """A call of a function, made by the model."""

    id: str
    type: Literal["function"]
    function: ChatCompletionFunctionCall


class CustomToolCall(Wire):
    """A custom tool's name and the text passed to it."""

    name: str
    input: str


class ChatCompletionMessageCustomToolCall(Wire):
    """A call of a custom tool, made by the model."""

    id: str
    type: Literal["custom"]
    custom: CustomToolCall


ChatCompletionMessageToolCallsItem = TypeAliasType(
    "ChatCompletionMessageToolCallsItem",
    list[Annotated[ChatCompletionMessageToolCall | ChatCompletionMessageCustomToolCall, Field(discriminator="type")]],
)


class ChatCompletionFunctionCallChunk(Wire):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class ChatCompletionMessageToolCallChunk(Wire):
    """A piece of a tool call: the first has the id and the name, the others more of the arguments."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: ChatCompletionFunctionCallChunk | None = None
