"""The pieces that the content of a chat message is made of."""

from typing import Annotated, Literal

from pydantic import Field, Tag
from typing_extensions import TypeAliasType

from smalt.schemas.wire import ARRAY, STRING, Request, by_kind

ChatCompletionRequestMessageContentPartType = TypeAliasType(
    "ChatCompletionRequestMessageContentPartType", Literal["text", "file", "input_audio", "image_url", "refusal"]
)


class PromptCacheBreakpointParam(Request):
    """Marks the end of a prefix worth keeping in the prompt cache."""

    mode: Literal["explicit"]


class ChatCompletionRequestMessageContentPartText(Request):
    """A piece of text."""

    type: Literal["text"]
    text: str
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class ChatCompletionImageUrl(Request):
    """Where an image is and how closely to look at it."""

    url: str = Field(description="The image's address, or a data URL that holds it.")
    detail: Literal["auto", "low", "high"] | None = Field(None, json_schema_extra={"default": "auto"})


class ChatCompletionRequestMessageContentPartImage(Request):
    """An image."""

    type: Literal["image_url"]
    image_url: ChatCompletionImageUrl
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class ChatCompletionInputAudio(Request):
    """Recorded sound."""

    data: str = Field(description="The recording in base64.")
    format: Literal["wav", "mp3"]


class ChatCompletionRequestMessageContentPartAudio(Request):
    """A recording to listen to."""

    type: Literal["input_audio"]
    input_audio: ChatCompletionInputAudio
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class ChatCompletionInputFile(Request):
    """A file, uploaded before or sent along."""

    filename: str | None = None
    file_data: str | None = Field(None, description="The file's content in base64.")
    file_id: str | None = Field(None, description="The id of an uploaded file.")


class ChatCompletionRequestMessageContentPartFile(Request):
    """A file to read."""

    type: Literal["file"]
    file: ChatCompletionInputFile
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class ChatCompletionRequestMessageContentPartRefusal(Request):
    """What the assistant said when it refused."""

    type: Literal["refusal"]
    refusal: str


ChatCompletionRequestMessageContentPart = TypeAliasType(
    "ChatCompletionRequestMessageContentPart",
    Annotated[
        ChatCompletionRequestMessageContentPartText
        | ChatCompletionRequestMessageContentPartImage
        | ChatCompletionRequestMessageContentPartAudio
        | ChatCompletionRequestMessageContentPartFile
        | ChatCompletionRequestMessageContentPartRefusal,
        Field(discriminator="type"),
    ],
)

ChatCompletionRequestUserMessageContentPart = TypeAliasType(
    "ChatCompletionRequestUserMessageContentPart",
    Annotated[
        ChatCompletionRequestMessageContentPartText
        | ChatCompletionRequestMessageContentPartImage
        | ChatCompletionRequestMessageContentPartAudio
        | ChatCompletionRequestMessageContentPartFile,
        Field(discriminator="type"),
    ],
)

ChatCompletionRequestAssistantMessageContentPart = TypeAliasType(
    "ChatCompletionRequestAssistantMessageContentPart",
    Annotated[
        ChatCompletionRequestMessageContentPartText | ChatCompletionRequestMessageContentPartRefusal,
        Field(discriminator="type"),
    ],
)

ChatCompletionRequestSystemMessageContentPart = TypeAliasType(
    "ChatCompletionRequestSystemMessageContentPart", ChatCompletionRequestMessageContentPartText
)
ChatCompletionRequestToolMessageContentPart = TypeAliasType(
    "ChatCompletionRequestToolMessageContentPart", ChatCompletionRequestMessageContentPartText
)

_TEXT_OR_PARTS = by_kind("a string", "an array of objects")
_TextTag = Annotated[str, Tag(STRING)]

SystemContent = Annotated[
    _TextTag | Annotated[list[ChatCompletionRequestSystemMessageContentPart], Field(min_length=1), Tag(ARRAY)],
    _TEXT_OR_PARTS,
]
UserContent = Annotated[
    _TextTag | Annotated[list[ChatCompletionRequestUserMessageContentPart], Field(min_length=1), Tag(ARRAY)],
    _TEXT_OR_PARTS,
]
AssistantContent = Annotated[
    _TextTag | Annotated[list[ChatCompletionRequestAssistantMessageContentPart], Field(min_length=1), Tag(ARRAY)],
    _TEXT_OR_PARTS,
]
ToolContent = Annotated[
    _TextTag | Annotated[list[ChatCompletionRequestToolMessageContentPart], Field(min_length=1), Tag(ARRAY)],
    _TEXT_OR_PARTS,
]
PredictedContent = Annotated[
    _TextTag | Annotated[list[ChatCompletionRequestMessageContentPartText], Field(min_length=1), Tag(ARRAY)],
    _TEXT_OR_PARTS,
]
