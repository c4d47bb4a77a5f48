"""Takes requests apart: who says which text, and which pictures are shown."""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote, unquote_to_bytes

from smalt.safety.schema_texts import text_of_schema
from smalt.safety.sentences import apart
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionRequestAssistantMessage,
    ChatCompletionRequestFunctionMessage,
    ChatCompletionRequestMessage,
    ChatCompletionRequestMessageContentPartFile,
    ChatCompletionRequestMessageContentPartImage,
    ChatCompletionRequestMessageContentPartRefusal,
    ChatCompletionRequestMessageContentPartText,
    ChatCompletionRequestToolMessage,
    ChatCompletionRequestUserMessage,
    ChatCompletionTool,
    RequestToolCall,
    ResponseFormatJsonSchema,
)
from smalt.schemas.completions import CreateCompletionRequest

Source = Literal["user", "document", "application"]
"""Who a text is from: a user; a tool, a function or a file; or the application and what its model said before."""

DATA_URL: Final = "data:"
BASE64: Final = ";base64"


@dataclass(frozen=True, slots=True)
class Said:
    """A text of a prompt."""

    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of a request; `is_readable` is false for token ids and files, which only their model can read.

    `beside` is what the application tells the model beside the conversation. `broken_images` are the places of pictures
    that came along and cannot be decoded.
    """

    texts: tuple[Said, ...]
    beside: tuple[str, ...] = ()
    images: tuple[bytes, ...] = ()
    broken_images: tuple[str, ...] = ()
    is_readable: bool = True

    @property
    def all_texts(self) -> list[str]:
        """What the model reads, whoever says it."""
        return [*(said.text for said in self.texts), *self.beside]

    def from_source(self, source: Source) -> list[str]:
        """What comes from one source."""
        return [said.text for said in self.texts if said.source == source]

    @property
    def apart(self) -> dict[str, list[str]]:
        """The texts of users that have several sentences, and these."""
        return {text: sentences for text in self.from_source("user") if (sentences := apart(text))}

    @property
    def question(self) -> str:
        """What users said last."""
        asked = self.from_source("user")
        return asked[-1] if asked else ""


def prompts_of(asked: AzureCreateChatCompletionRequest | CreateCompletionRequest) -> list[Prompt]:
    """The prompts of a request: one conversation, or as many texts as it has."""
    if isinstance(asked, AzureCreateChatCompletionRequest):
        return [_conversation(asked)]
    return _texts(asked)


def _conversation(asked: AzureCreateChatCompletionRequest) -> Prompt:
    texts = [Said(text, _source(message)) for message in asked.messages for text in _message_texts(message) if text]
    images = [image for place, message in enumerate(asked.messages) for image in _images(place, message)]
    return Prompt(
        tuple(texts),
        beside=tuple(text for text in _told_beside(asked) if text),
        images=tuple(image for _, image in images if image is not None),
        broken_images=tuple(place for place, image in images if image is None),
        is_readable=not any(map(_has_files, asked.messages)),
    )


def _told_beside(asked: AzureCreateChatCompletionRequest) -> Iterator[str]:
    """What the application tells the model beside the conversation: of its tools, of the answer's form, a draft."""
    for tool in asked.tools or ():
        if isinstance(tool, ChatCompletionTool):
            yield from (tool.function.description or "", text_of_schema(tool.function.parameters))
        else:
            yield tool.custom.description or ""
    for function in asked.functions or ():
        yield from (function.description or "", text_of_schema(function.parameters))
    if isinstance(asked.response_format, ResponseFormatJsonSchema):
        form = asked.response_format.json_schema
        yield from (form.description or "", text_of_schema(form.schema_))
    for source in asked.data_sources or ():
        yield source.parameters.role_information or ""
    if asked.prediction is not None:
        content = asked.prediction.content
        yield from (content,) if isinstance(content, str) else (part.text for part in content)


def _source(message: ChatCompletionRequestMessage) -> Source:
    if isinstance(message, ChatCompletionRequestUserMessage):
        return "user"
    if isinstance(message, ChatCompletionRequestToolMessage | ChatCompletionRequestFunctionMessage):
        return "document"
    return "application"


def _has_files(message: ChatCompletionRequestMessage) -> bool:
    parts = message.content if isinstance(message.content, list) else ()
    return any(isinstance(part, ChatCompletionRequestMessageContentPartFile) for part in parts)


def _message_texts(message: ChatCompletionRequestMessage) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
    for part in message.content if isinstance(message.content, list) else ():
        if isinstance(part, ChatCompletionRequestMessageContentPartText):
            yield part.text
        elif isinstance(part, ChatCompletionRequestMessageContentPartRefusal):
            yield part.refusal
    if isinstance(message, ChatCompletionRequestAssistantMessage):
        yield from _said_before(message)


def _said_before(message: ChatCompletionRequestAssistantMessage) -> Iterator[str]:
    yield message.reasoning_content or ""
    yield message.refusal or ""
    if message.function_call:
        yield message.function_call.arguments
    for call in message.tool_calls or ():
        yield call.function.arguments if isinstance(call, RequestToolCall) else call.custom.input


def _images(place: int, message: ChatCompletionRequestMessage) -> Iterator[tuple[str, bytes | None]]:
    """The pictures that came with a message, by place; those at other addresses are for the model alone to fetch."""
    for position, part in enumerate(message.content if isinstance(message.content, list) else ()):
        if isinstance(part, ChatCompletionRequestMessageContentPartImage):
            url = part.image_url.url.strip()
            if url[: len(DATA_URL)].lower() == DATA_URL:
                yield f"messages[{place}].content[{position}].image_url.url", _decoded(url)


def _decoded(url: str) -> bytes | None:
    """The bytes of a data URL, read as leniently as browsers do; None where there is nothing to be read."""
    head, _, content = url.partition(",")
    if not head.rstrip().lower().endswith(BASE64):
        return unquote_to_bytes(content) or None
    encoded = "".join((unquote(content) if "%" in content else content).split())
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _texts(asked: CreateCompletionRequest) -> list[Prompt]:
    after = (Said(asked.suffix, "user"),) if asked.suffix else ()
    return [
        Prompt((Said(text, "user"), *after)) if isinstance(text, str) else Prompt(after, is_readable=False)
        for text in _each(asked)
    ]


def _each(asked: CreateCompletionRequest) -> list[str | list[int]]:
    prompt = asked.prompt
    if prompt is None:
        return [""]
    if isinstance(prompt, str):
        return [prompt]
    if prompt and isinstance(prompt[0], int):
        return [[]]
    return [one if isinstance(one, str) else [] for one in prompt]
