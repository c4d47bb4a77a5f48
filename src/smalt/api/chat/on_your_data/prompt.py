"""Puts documents before a model: as many as its context has room for, each under its mark."""

import re
from collections.abc import Sequence
from typing import Any

from smalt.core.errors import ContextLengthExceeded, InvalidRequest
from smalt.retrieval.data_sources import Document
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionRequestDeveloperMessage,
    ChatCompletionRequestMessage,
    ChatCompletionRequestMessageContentPartText,
    ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage,
)

NOT_FOUND = "The requested information is not available in the retrieved data. Please try another query or topic."
"""What is said when no document holds an answer; clients look for these words."""

IN_SCOPE = (
    "Answer the question from the documents only. Write the mark of a document, such as [doc1], behind every sentence "
    f"that you take from it. If the documents do not hold the answer, say: {NOT_FOUND}"
)
OUT_OF_SCOPE = (
    "Use the documents where they help to answer the question, and write the mark of a document, such as [doc1], "
    "behind every sentence that you take from it. Where they do not help, answer from what you know, without a mark."
)

BYTES_PER_TOKEN = 3
"""On the safe side: usual models have four bytes a token."""
USUAL_ANSWER_TOKENS = 1024
ANSWER_SHARE = 4
"""At least one part of so many of the context is kept for the answer."""
LEAST_BYTES = 200
"""A document is not cut shorter than this, but left out."""
NUMBERS = re.compile(r"context length is (\d+) tokens.*?(?:resulted in|requested) (\d+) tokens", re.DOTALL)


def room_bytes(body: AzureCreateChatCompletionRequest, context: int | None) -> int | None:
    """How many bytes of documents fit behind the conversation; None when nobody knows the context."""
    if context is None:
        return None
    answer = body.max_completion_tokens or body.max_tokens or min(USUAL_ANSWER_TOKENS, context // ANSWER_SHARE)
    said = len(body.model_dump_json(include={"messages"}, exclude_unset=True))
    return max(0, (context - answer) * BYTES_PER_TOKEN - said - len(IN_SCOPE))


def fitting(documents: Sequence[Document], room: int | None) -> list[str]:
    """The texts of as many documents as fit, in their order; the last may be cut."""
    texts: list[str] = []
    for number, document in enumerate(documents, start=1):
        text = _written(number, document)
        if room is None:
            texts.append(text)
            continue
        size = len(text.encode())
        if size > room >= LEAST_BYTES:
            text = text.encode()[:room].decode(errors="ignore")
        elif size > room:
            break
        texts.append(text)
        room -= min(size, room)
    return texts


def less_room(texts: Sequence[str], error: InvalidRequest) -> int | None:
    """Room for the next attempt after a model said that the prompt is too long; None for another failure."""
    if not texts or not (isinstance(error, ContextLengthExceeded) or error.code == "context_length_exceeded"):
        return None
    size = sum(len(text.encode()) for text in texts)
    told = NUMBERS.search(error.message)
    if told is None:
        return size // 2
    most, got = int(told[1]), int(told[2])
    over = max(got - most, 0) + min(USUAL_ANSWER_TOKENS, most // ANSWER_SHARE)
    # The shares tell this text's own bytes a token, roughly.
    return max(0, min(size // 2, size - over * BYTES_PER_TOKEN)) if got > most else size // 2


def no_room() -> ContextLengthExceeded:
    """What to say when the model cannot take a single document."""
    return ContextLengthExceeded(
        "The messages leave no room for documents within this model's maximum context length. Please reduce the length "
        "of the messages or of the completion, or take a model with a longer context.",
        param="messages",
    )


def grounded(
    body: AzureCreateChatCompletionRequest, texts: Sequence[str], *, in_scope: bool, role_information: str | None
) -> AzureCreateChatCompletionRequest:
    """The request as the model gets it: instructions before the conversation, documents before the last question."""
    instructions = (IN_SCOPE if in_scope else OUT_OF_SCOPE) if texts else None
    messages = _instructed(body.messages, role_information, instructions)
    if texts:
        messages = _informed(messages, "\n\n".join(texts))
    update: dict[str, Any] = {"messages": messages, "data_sources": None}
    if body.tools:
        update |= {"tools": None, "tool_choice": None, "parallel_tool_calls": None}
    return body.model_copy(update=update)


def _written(number: int, document: Document) -> str:
    title = document.title or document.filepath
    heading = f"[doc{number}] {title}" if title else f"[doc{number}]"
    return f"{heading}\n{document.content.strip()}"


def _instructed(
    messages: Sequence[ChatCompletionRequestMessage], role_information: str | None, instructions: str | None
) -> list[ChatCompletionRequestMessage]:
    """One system message at the start: the role, what the client says, the instructions."""
    first, rest = messages[0], list(messages[1:])
    if not isinstance(first, ChatCompletionRequestSystemMessage | ChatCompletionRequestDeveloperMessage):
        told = "\n\n".join(filter(None, (role_information, instructions)))
        system = ChatCompletionRequestSystemMessage(role="system", content=told)
        return [system, *messages] if told else list(messages)
    said = first.content if isinstance(first.content, str) else "\n".join(part.text for part in first.content)
    told = "\n\n".join(filter(None, (role_information, said, instructions)))
    return [first.model_copy(update={"content": told}), *rest]


def _informed(messages: list[ChatCompletionRequestMessage], documents: str) -> list[ChatCompletionRequestMessage]:
    """The messages with the documents before the user's last words."""
    place = max(
        place for place, message in enumerate(messages) if isinstance(message, ChatCompletionRequestUserMessage)
    )
    last = messages[place]
    assert isinstance(last, ChatCompletionRequestUserMessage)
    before = f"Documents:\n\n{documents}\n\nQuestion: "
    content = (
        before + last.content
        if isinstance(last.content, str)
        else [ChatCompletionRequestMessageContentPartText(type="text", text=before), *last.content]
    )
    return [*messages[:place], last.model_copy(update={"content": content}), *messages[place + 1 :]]
