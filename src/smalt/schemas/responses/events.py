"""The events of a response's stream.

Inside, an event has the name that the v1 page gives it. Where OpenAI's current name differs, the schema knows both.
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from smalt.schemas.responses.actions import ReasoningItemSummaryPart
from smalt.schemas.responses.content import Annotation, LogProb, OutputContent
from smalt.schemas.responses.items import ItemResource
from smalt.schemas.responses.response import AzureResponse
from smalt.schemas.wire import Wire

ResponseStreamEventType = TypeAliasType(
    "ResponseStreamEventType",
    Literal[
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.delta",
        "response.audio_transcript.done",
        "response.code_interpreter_call_code.delta",
        "response.code_interpreter_call_code.done",
        "response.code_interpreter_call.completed",
        "response.code_interpreter_call.in_progress",
        "response.code_interpreter_call.interpreting",
        "response.completed",
        "response.content_part.added",
        "response.content_part.done",
        "response.created",
        "error",
        "response.file_search_call.completed",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.in_progress",
        "response.failed",
        "response.incomplete",
        "response.output_item.added",
        "response.output_item.done",
        "response.refusal.delta",
        "response.refusal.done",
        "response.output_text.annotation.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.web_search_call.completed",
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
        "response.image_generation_call.completed",
        "response.image_generation_call.generating",
        "response.image_generation_call.in_progress",
        "response.image_generation_call.partial_image",
        "response.mcp_call.arguments_delta",
        "response.mcp_call.arguments_done",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        "response.mcp_call.in_progress",
        "response.mcp_list_tools.completed",
        "response.mcp_list_tools.failed",
        "response.mcp_list_tools.in_progress",
        "response.queued",
        "response.reasoning.delta",
        "response.reasoning.done",
        "response.reasoning_summary.delta",
        "response.reasoning_summary.done",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
    ],
)

WholeOrPiece = str | dict[str, Any]
"""JSON text, or the JSON itself: the references differ in what a delta of it is."""


class ResponseEvent(Wire):
    """What every event has: its place in the stream, counted from 0."""

    sequence_number: Annotated[int, Field(ge=0)]


class ResponseStateEvent(ResponseEvent):
    """An event that holds the whole response as it stands."""

    response: AzureResponse


class ResponseItemEvent(ResponseEvent):
    """An event of one output item."""

    item_id: str
    output_index: Annotated[int, Field(ge=0)]


class ResponseContentEvent(ResponseItemEvent):
    """An event of one part of an item's content."""

    content_index: Annotated[int, Field(ge=0)]


class ResponseSummaryEvent(ResponseItemEvent):
    """An event of one part of a reasoning item's summary."""

    summary_index: Annotated[int, Field(ge=0)]


class ResponseCreatedEvent(ResponseStateEvent):
    """The response has begun to exist."""

    type: Literal["response.created"]


class ResponseQueuedEvent(ResponseStateEvent):
    """The response waits for its turn in the background."""

    type: Literal["response.queued"]


class ResponseInProgressEvent(ResponseStateEvent):
    """The response is being made."""

    type: Literal["response.in_progress"]


class ResponseCompletedEvent(ResponseStateEvent):
    """The response is whole."""

    type: Literal["response.completed"]


class ResponseFailedEvent(ResponseStateEvent):
    """The response has failed; it says why."""

    type: Literal["response.failed"]


class ResponseIncompleteEvent(ResponseStateEvent):
    """The response has ended early; it says why."""

    type: Literal["response.incomplete"]


class ResponseErrorEventDetails(Wire):
    """An error in the shape in which a failed request tells it."""

    type: str | None
    code: str | None
    message: str
    param: str | None


class ResponseErrorEvent(ResponseEvent):
    """Something went wrong while the response was made; newer clients read it from `error`."""

    type: Literal["error"]
    code: str | None
    message: str
    param: str | None
    error: ResponseErrorEventDetails | None = None


class ResponseOutputItemAddedEvent(ResponseEvent):
    """An item has begun."""

    type: Literal["response.output_item.added"]
    output_index: Annotated[int, Field(ge=0)]
    item: ItemResource


class ResponseOutputItemDoneEvent(ResponseEvent):
    """An item is whole."""

    type: Literal["response.output_item.done"]
    output_index: Annotated[int, Field(ge=0)]
    item: ItemResource


class ResponseContentPartAddedEvent(ResponseContentEvent):
    """A part of an item's content has begun."""

    type: Literal["response.content_part.added"]
    part: OutputContent


class ResponseContentPartDoneEvent(ResponseContentEvent):
    """A part of an item's content is whole."""

    type: Literal["response.content_part.done"]
    part: OutputContent


class ResponseTextDeltaEvent(ResponseContentEvent):
    """More text."""

    type: Literal["response.output_text.delta"]
    delta: str
    logprobs: list[LogProb]
    obfuscation: str | None = None


class ResponseTextDoneEvent(ResponseContentEvent):
    """The whole text."""

    type: Literal["response.output_text.done"]
    text: str
    logprobs: list[LogProb]


class ResponseOutputTextAnnotationAddedEvent(ResponseContentEvent):
    """Something was cited in the text so far."""

    type: Literal["response.output_text.annotation.added"]
    annotation_index: Annotated[int, Field(ge=0)]
    annotation: Annotation | None


class ResponseRefusalDeltaEvent(ResponseContentEvent):
    """More of a refusal."""

    type: Literal["response.refusal.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseRefusalDoneEvent(ResponseContentEvent):
    """The whole refusal."""

    type: Literal["response.refusal.done"]
    refusal: str


class ResponseAudioDeltaEvent(ResponseEvent):
    """More sound, in base64."""

    type: Literal["response.audio.delta"]
    delta: str


class ResponseAudioDoneEvent(ResponseEvent):
    """All the sound was sent."""

    type: Literal["response.audio.done"]


class ResponseAudioTranscriptDeltaEvent(ResponseEvent):
    """More of what is spoken."""

    type: Literal["response.audio_transcript.delta", "response.audio.transcript.delta"]
    delta: str


class ResponseAudioTranscriptDoneEvent(ResponseEvent):
    """All that is spoken was sent."""

    type: Literal["response.audio_transcript.done", "response.audio.transcript.done"]


class ResponseFunctionCallArgumentsDeltaEvent(ResponseItemEvent):
    """More of the arguments of a call."""

    type: Literal["response.function_call_arguments.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseFunctionCallArgumentsDoneEvent(ResponseItemEvent):
    """The whole arguments of a call."""

    type: Literal["response.function_call_arguments.done"]
    name: str
    arguments: str


class ResponseCustomToolCallInputDeltaEvent(ResponseItemEvent):
    """More of the input of a custom tool."""

    type: Literal["response.custom_tool_call_input.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseCustomToolCallInputDoneEvent(ResponseItemEvent):
    """The whole input of a custom tool."""

    type: Literal["response.custom_tool_call_input.done"]
    input: str


class ResponseFileSearchCallInProgressEvent(ResponseItemEvent):
    """A search of files has begun."""

    type: Literal["response.file_search_call.in_progress"]


class ResponseFileSearchCallSearchingEvent(ResponseItemEvent):
    """Files are being searched."""

    type: Literal["response.file_search_call.searching"]


class ResponseFileSearchCallCompletedEvent(ResponseItemEvent):
    """A search of files is over."""

    type: Literal["response.file_search_call.completed"]


class ResponseWebSearchCallInProgressEvent(ResponseItemEvent):
    """A search of the web has begun."""

    type: Literal["response.web_search_call.in_progress"]


class ResponseWebSearchCallSearchingEvent(ResponseItemEvent):
    """The web is being searched."""

    type: Literal["response.web_search_call.searching"]


class ResponseWebSearchCallCompletedEvent(ResponseItemEvent):
    """A search of the web is over."""

    type: Literal["response.web_search_call.completed"]


class ResponseCodeInterpreterCallInProgressEvent(ResponseItemEvent):
    """A run of code has begun."""

    type: Literal["response.code_interpreter_call.in_progress"]


class ResponseCodeInterpreterCallCodeDeltaEvent(ResponseItemEvent):
    """More code."""

    type: Literal["response.code_interpreter_call_code.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseCodeInterpreterCallCodeDoneEvent(ResponseItemEvent):
    """The whole code."""

    type: Literal["response.code_interpreter_call_code.done"]
    code: str


class ResponseCodeInterpreterCallInterpretingEvent(ResponseItemEvent):
    """The code is being run."""

    type: Literal["response.code_interpreter_call.interpreting"]


class ResponseCodeInterpreterCallCompletedEvent(ResponseItemEvent):
    """A run of code is over."""

    type: Literal["response.code_interpreter_call.completed"]


class ResponseImageGenCallInProgressEvent(ResponseItemEvent):
    """The making of an image has begun."""

    type: Literal["response.image_generation_call.in_progress"]


class ResponseImageGenCallGeneratingEvent(ResponseItemEvent):
    """An image is being made."""

    type: Literal["response.image_generation_call.generating"]


class ResponseImageGenCallPartialImageEvent(ResponseItemEvent):
    """An image as far as it has come, in base64."""

    type: Literal["response.image_generation_call.partial_image"]
    partial_image_index: Annotated[int, Field(ge=0)]
    partial_image_b64: str
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None


class ResponseImageGenCallCompletedEvent(ResponseItemEvent):
    """An image is made."""

    type: Literal["response.image_generation_call.completed"]


class ResponseMCPListToolsInProgressEvent(ResponseItemEvent):
    """A server is being asked for its tools."""

    type: Literal["response.mcp_list_tools.in_progress"]


class ResponseMCPListToolsCompletedEvent(ResponseItemEvent):
    """A server has listed its tools."""

    type: Literal["response.mcp_list_tools.completed"]


class ResponseMCPListToolsFailedEvent(ResponseItemEvent):
    """A server could not list its tools."""

    type: Literal["response.mcp_list_tools.failed"]


class ResponseMCPCallInProgressEvent(ResponseItemEvent):
    """A call of a server's tool has begun."""

    type: Literal["response.mcp_call.in_progress"]


class ResponseMCPCallArgumentsDeltaEvent(ResponseItemEvent):
    """More of the arguments of a server's tool."""

    type: Literal["response.mcp_call.arguments_delta", "response.mcp_call_arguments.delta"]
    delta: WholeOrPiece
    obfuscation: str | None = None


class ResponseMCPCallArgumentsDoneEvent(ResponseItemEvent):
    """The whole arguments of a server's tool."""

    type: Literal["response.mcp_call.arguments_done", "response.mcp_call_arguments.done"]
    arguments: WholeOrPiece


class ResponseMCPCallCompletedEvent(ResponseItemEvent):
    """A server's tool has answered."""

    type: Literal["response.mcp_call.completed"]


class ResponseMCPCallFailedEvent(ResponseItemEvent):
    """A server's tool has failed."""

    type: Literal["response.mcp_call.failed"]


class ResponseReasoningDeltaEvent(ResponseContentEvent):
    """More of what the model thinks."""

    type: Literal["response.reasoning.delta"]
    delta: WholeOrPiece
    obfuscation: str | None = None


class ResponseReasoningDoneEvent(ResponseContentEvent):
    """All that the model thought."""

    type: Literal["response.reasoning.done"]
    text: str


class ResponseReasoningTextDeltaEvent(ResponseContentEvent):
    """More of what the model thinks, by OpenAI's name."""

    type: Literal["response.reasoning_text.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseReasoningTextDoneEvent(ResponseContentEvent):
    """All that the model thought, by OpenAI's name."""

    type: Literal["response.reasoning_text.done"]
    text: str


class ResponseReasoningSummaryPartAddedEvent(ResponseSummaryEvent):
    """A part of a summary has begun."""

    type: Literal["response.reasoning_summary_part.added"]
    part: ReasoningItemSummaryPart


class ResponseReasoningSummaryPartDoneEvent(ResponseSummaryEvent):
    """A part of a summary is whole."""

    type: Literal["response.reasoning_summary_part.done"]
    part: ReasoningItemSummaryPart
    status: Literal["incomplete"] | None = None


class ResponseReasoningSummaryTextDeltaEvent(ResponseSummaryEvent):
    """More text of a summary."""

    type: Literal["response.reasoning_summary_text.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseReasoningSummaryTextDoneEvent(ResponseSummaryEvent):
    """The whole text of a part of a summary."""

    type: Literal["response.reasoning_summary_text.done"]
    text: str


class ResponseReasoningSummaryDeltaEvent(ResponseSummaryEvent):
    """More of a summary."""

    type: Literal["response.reasoning_summary.delta"]
    delta: WholeOrPiece


class ResponseReasoningSummaryDoneEvent(ResponseSummaryEvent):
    """A whole summary."""

    type: Literal["response.reasoning_summary.done"]
    text: str


ResponseStreamEvent = TypeAliasType(
    "ResponseStreamEvent",
    Annotated[
        ResponseCreatedEvent
        | ResponseQueuedEvent
        | ResponseInProgressEvent
        | ResponseCompletedEvent
        | ResponseFailedEvent
        | ResponseIncompleteEvent
        | ResponseErrorEvent
        | ResponseOutputItemAddedEvent
        | ResponseOutputItemDoneEvent
        | ResponseContentPartAddedEvent
        | ResponseContentPartDoneEvent
        | ResponseTextDeltaEvent
        | ResponseTextDoneEvent
        | ResponseOutputTextAnnotationAddedEvent
        | ResponseRefusalDeltaEvent
        | ResponseRefusalDoneEvent
        | ResponseAudioDeltaEvent
        | ResponseAudioDoneEvent
        | ResponseAudioTranscriptDeltaEvent
        | ResponseAudioTranscriptDoneEvent
        | ResponseFunctionCallArgumentsDeltaEvent
        | ResponseFunctionCallArgumentsDoneEvent
        | ResponseCustomToolCallInputDeltaEvent
        | ResponseCustomToolCallInputDoneEvent
        | ResponseFileSearchCallInProgressEvent
        | ResponseFileSearchCallSearchingEvent
        | ResponseFileSearchCallCompletedEvent
        | ResponseWebSearchCallInProgressEvent
        | ResponseWebSearchCallSearchingEvent
        | ResponseWebSearchCallCompletedEvent
        | ResponseCodeInterpreterCallInProgressEvent
        | ResponseCodeInterpreterCallCodeDeltaEvent
        | ResponseCodeInterpreterCallCodeDoneEvent
        | ResponseCodeInterpreterCallInterpretingEvent
        | ResponseCodeInterpreterCallCompletedEvent
        | ResponseImageGenCallInProgressEvent
        | ResponseImageGenCallGeneratingEvent
        | ResponseImageGenCallPartialImageEvent
        | ResponseImageGenCallCompletedEvent
        | ResponseMCPListToolsInProgressEvent
        | ResponseMCPListToolsCompletedEvent
        | ResponseMCPListToolsFailedEvent
        | ResponseMCPCallInProgressEvent
        | ResponseMCPCallArgumentsDeltaEvent
        | ResponseMCPCallArgumentsDoneEvent
        | ResponseMCPCallCompletedEvent
        | ResponseMCPCallFailedEvent
        | ResponseReasoningDeltaEvent
        | ResponseReasoningDoneEvent
        | ResponseReasoningTextDeltaEvent
        | ResponseReasoningTextDoneEvent
        | ResponseReasoningSummaryPartAddedEvent
        | ResponseReasoningSummaryPartDoneEvent
        | ResponseReasoningSummaryTextDeltaEvent
        | ResponseReasoningSummaryTextDoneEvent
        | ResponseReasoningSummaryDeltaEvent
        | ResponseReasoningSummaryDoneEvent,
        Field(discriminator="type"),
    ],
)
