"""Takes requests apart: who says which text, and which pictures are shown."""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionRequestAssistantMessage,
    ChatCompletionRequestFunctionMessage,
    ChatCompletionRequestMessage,
    ChatCompletionRequestMessageContentPartImage,
    ChatCompletionRequestMessageContentPartRefusal,
    ChatCompletionRequestMessageContentPartText,
    ChatCompletionRequestToolMessage,
    ChatCompletionRequestUserMessage,
    RequestToolCall,
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
    """One prompt of a request; `is_readable` is false for token ids, which only their model can read."""

    texts: tuple[Said, ...]
    images: tuple[bytes, ...] = ()
    is_readable: bool = True

    def from_source(self, source: Source) -> list[str]:
        """What comes from one source."""
        return [said.text for said in self.texts if said.source == source]

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
    images = [image for message in asked.messages for image in _images(message)]
    return Prompt(tuple(texts), tuple(images))


def _source(message: ChatCompletionRequestMessage) -> Source:
    if isinstance(message, ChatCompletionRequestUserMessage):
        return "user"
    if isinstance(message, ChatCompletionRequestToolMessage | ChatCompletionRequestFunctionMessage):
        return "document"
    return "application"


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


def _images(message: ChatCompletionRequestMessage) -> Iterator[bytes]:
    """The pictures that came with the request; those at other addresses are for the model alone to fetch."""
    for part in message.content if isinstance(message.content, list) else ():
        if isinstance(part, ChatCompletionRequestMessageContentPartImage):
            image = _decoded(part.image_url.url)
            if image is not None:
                yield image


def _decoded(url: str) -> bytes | None:
    head, _, encoded = url.partition(",")
    if not head.lower().startswith(DATA_URL) or not head.lower().endswith(BASE64):
        return None
    try:
        return b64decode(encoded)
    except (binascii.Error, ValueError):
        # The engine says what is wrong with it.
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
