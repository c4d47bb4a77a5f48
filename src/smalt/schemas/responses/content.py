"""The pieces that messages are made of: what a client sends, what an answer holds, and what it cites."""

from typing import Annotated, Any, Literal, cast

from pydantic import ConfigDict, Field, Tag, model_validator
from typing_extensions import TypeAliasType

from smalt.schemas.chat.parts import PromptCacheBreakpointParam
from smalt.schemas.wire import ARRAY, STRING, Request, Wire, by_kind

MOST_CHARACTERS = 10 * 2**20
MOST_IMAGE_CHARACTERS = 20 * 2**20
MOST_FILE_CHARACTERS = 70 * 2**20

ItemContentType = TypeAliasType(
    "ItemContentType",
    Literal["input_text", "input_audio", "input_image", "input_file", "output_text", "output_audio", "refusal"],
)
AnnotationType = TypeAliasType(
    "AnnotationType", Literal["file_citation", "url_citation", "file_path", "container_file_citation"]
)
ImageDetail = TypeAliasType("ImageDetail", Literal["low", "high", "auto", "original"])
FileInputDetail = TypeAliasType("FileInputDetail", Literal["auto", "low", "high"])


class AnnotationFileCitation(Wire):
    """Says that the text before `index` rests on a file."""

    type: Literal["file_citation"]
    file_id: str
    filename: str
    index: int


class AnnotationFilePath(Wire):
    """Names a file that the text leads to."""

    type: Literal["file_path"]
    file_id: str
    index: int


class AnnotationUrlCitation(Wire):
    """Says which page a stretch of the text rests on."""

    type: Literal["url_citation"]
    url: str
    title: str
    start_index: int
    end_index: int


class ContainerFileCitationBody(Wire):
    """Names a file in a container that a stretch of the text speaks of."""

    type: Literal["container_file_citation"]
    container_id: str
    file_id: str
    filename: str
    start_index: int
    end_index: int


Annotation = TypeAliasType(
    "Annotation",
    Annotated[
        AnnotationFileCitation | AnnotationUrlCitation | AnnotationFilePath | ContainerFileCitationBody,
        Field(discriminator="type"),
    ],
)


class TopLogProb(Wire):
    """A token that was likely in a place, with its log-probability."""

    token: str
    logprob: float
    bytes: list[int]


class LogProb(Wire):
    """The token in a place, and the likeliest tokens there."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogProb]


class ItemContentInputText(Wire):
    """Text that was sent."""

    type: Literal["input_text"]
    text: str
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class ItemContentInputImage(Wire):
    """An image that was sent."""

    type: Literal["input_image"]
    image_url: str | None = None
    file_id: str | None = None
    detail: ImageDetail
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class ItemContentInputFile(Wire):
    """A file that was sent."""

    type: Literal["input_file"]
    file_id: str | None = None
    filename: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    detail: FileInputDetail | None = None
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class ItemContentInputAudio(Wire):
    """A recording that was sent."""

    type: Literal["input_audio"]
    data: str
    format: Literal["mp3", "wav"]


class ItemContentOutputText(Wire):
    """Text that the model wrote; `logprobs` is empty unless they were asked for."""

    type: Literal["output_text"]
    text: str
    annotations: list[Annotation]
    logprobs: list[LogProb]


class ItemContentOutputAudio(Wire):
    """Speech that the model made, and its words."""

    type: Literal["output_audio"]
    data: str
    transcript: str


class ItemContentRefusal(Wire):
    """What the model said when it refused."""

    type: Literal["refusal"]
    refusal: str


ItemContent = TypeAliasType(
    "ItemContent",
    Annotated[
        ItemContentInputAudio
        | ItemContentOutputAudio
        | ItemContentRefusal
        | ItemContentInputText
        | ItemContentInputImage
        | ItemContentInputFile
        | ItemContentOutputText,
        Field(discriminator="type"),
    ],
)


class ReasoningTextContent(Request):
    """What the model thought, in its own words."""

    type: Literal["reasoning_text"]
    text: str


class KeptContentParam(Request):
    """Part of what a client sends; it is kept and shown, so that fields which nobody knows are dropped."""

    model_config = ConfigDict(extra="ignore")


class InputTextContent(KeptContentParam):
    """A piece of text."""

    type: Literal["input_text"]
    text: Annotated[str, Field(max_length=MOST_CHARACTERS)]
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class InputImageContent(KeptContentParam):
    """An image: an address, a data URL or the id of a file."""

    type: Literal["input_image"]
    image_url: Annotated[str, Field(max_length=MOST_IMAGE_CHARACTERS)] | None = None
    file_id: str | None = None
    detail: ImageDetail | None = Field(None, json_schema_extra={"default": "auto"})
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class InputFileContent(KeptContentParam):
    """A file to read: uploaded before, sent along in base64, or at an address."""

    type: Literal["input_file"]
    file_id: str | None = None
    filename: str | None = None
    file_data: Annotated[str, Field(max_length=MOST_FILE_CHARACTERS)] | None = None
    file_url: str | None = None
    detail: FileInputDetail | None = None
    prompt_cache_breakpoint: PromptCacheBreakpointParam | None = None


class InputAudioContent(KeptContentParam):
    """A recording to listen to; data and format may also be in an object `input_audio`, as newer clients send it."""

    type: Literal["input_audio"]
    data: str
    format: Literal["mp3", "wav"]

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        fields = cast("dict[str, Any]", value)
        recording = fields.get("input_audio")
        return {**fields, **cast("dict[str, Any]", recording)} if isinstance(recording, dict) else fields


class OutputTextContent(KeptContentParam):
    """Text that an assistant wrote earlier."""

    type: Literal["output_text"]
    text: str
    annotations: list[Annotation] | None = None
    logprobs: list[LogProb] | None = None


class OutputAudioContent(KeptContentParam):
    """Speech that an assistant made earlier."""

    type: Literal["output_audio"]
    data: str
    transcript: str


class RefusalContent(KeptContentParam):
    """What an assistant said when it refused."""

    type: Literal["refusal"]
    refusal: str


InputContent = TypeAliasType(
    "InputContent",
    Annotated[InputTextContent | InputImageContent | InputFileContent, Field(discriminator="type")],
)
MessageContentPart = Annotated[
    InputTextContent
    | InputImageContent
    | InputFileContent
    | InputAudioContent
    | OutputTextContent
    | OutputAudioContent
    | RefusalContent,
    Field(discriminator="type"),
]
MessageContent = Annotated[
    Annotated[str, Field(max_length=MOST_CHARACTERS), Tag(STRING)] | Annotated[list[MessageContentPart], Tag(ARRAY)],
    by_kind("a string", "an array of objects"),
]
ToolOutput = Annotated[
    Annotated[str, Field(max_length=MOST_CHARACTERS), Tag(STRING)] | Annotated[list[InputContent], Tag(ARRAY)],
    by_kind("a string", "an array of objects"),
]
OutputContent = TypeAliasType(
    "OutputContent",
    Annotated[
        ItemContentOutputText | ItemContentRefusal | ItemContentOutputAudio | ReasoningTextContent,
        Field(discriminator="type"),
    ],
)
