"""Gives answers from data sources the shape that they have on classic paths, in today's form and in the first one."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

import orjson

from smalt.api.generation import Chunk
from smalt.core.ids import uuid_id

Form = Literal["classic", "extensions"]
"""`/chat/completions` has the context in parts; `/extensions/chat/completions` has it as a tool's message."""

HEAD = ("created", "model", "system_fingerprint")
MESSAGE = ("role", "content", "reasoning_content", "end_turn", "context")


async def shaped(chunks: AsyncGenerator[Chunk], form: Form) -> AsyncGenerator[Chunk]:
    """The chunks of a stream in a classic form."""
    new_id = uuid_id()
    async with aclosing(chunks):
        async for chunk in chunks:
            for piece in _pieces(chunk["choices"], form):
                yield {**_head(chunk, new_id), "object": "extensions.chat.completion.chunk", "choices": piece}


def shaped_whole(answer: Chunk, form: Form) -> Chunk:
    """A whole answer in a classic form."""
    choices = [_whole_choice(choice, form) for choice in answer["choices"]]
    told = {**_head(answer, uuid_id()), "object": "extensions.chat.completion", "choices": choices}
    if "usage" in answer:
        names = ("prompt_tokens", "completion_tokens", "total_tokens")
        told["usage"] = {name: answer["usage"][name] for name in names}
    return told


def _head(chunk: Chunk, new_id: str) -> Chunk:
    return {"id": new_id, **{name: chunk[name] for name in HEAD if chunk.get(name)}}


def _whole_choice(choice: Chunk, form: Form) -> Chunk:
    """A choice of a whole answer; one that the content filter has blocked has no message."""
    told = {"index": choice["index"], "finish_reason": choice["finish_reason"], **_found(choice)}
    return {**told, "message": _message(choice["message"], form)} if "message" in choice else told


def _found(choice: Chunk) -> Chunk:
    """What the content filter found, where it tells something: the service itself has nothing here."""
    results = choice.get("content_filter_results")
    return {"content_filter_results": results} if results else {}


def _pieces(choices: list[Chunk], form: Form) -> list[list[Chunk]]:
    """The choices of each chunk that one of ours becomes: the first form tells the context before the role."""
    if not choices:
        return []
    deltas = [choice.get("delta", {}) for choice in choices]
    if form == "classic" or not any("context" in delta for delta in deltas):
        return [[_choice(choice, _delta(delta)) for choice, delta in zip(choices, deltas, strict=True)]]
    contexts = [
        _choice(choice, {"context": _messages(choice["delta"]["context"])})
        for choice in choices
        if "context" in choice["delta"]
    ]
    rest = [_choice(choice, _delta({**choice["delta"], "context": None})) for choice in choices]
    return [contexts, rest]


def _choice(choice: Chunk, delta: Chunk) -> Chunk:
    return {
        "index": choice["index"],
        "delta": delta,
        "end_turn": choice["finish_reason"] is not None,
        "finish_reason": choice["finish_reason"],
        **_found(choice),
    }


def _delta(delta: Chunk) -> Chunk:
    """What of a delta these forms have; an empty content is not told beside a role."""
    return {name: delta[name] for name in MESSAGE if delta.get(name)}


def _message(message: Chunk, form: Form) -> Chunk:
    told = {name: message[name] for name in MESSAGE if message.get(name) is not None}
    if form == "extensions" and "context" in told:
        told["context"] = _messages(told["context"])
    return told


def _messages(context: dict[str, Any]) -> Chunk:
    """The context as the message of a tool, whose content is JSON in a string."""
    content: Chunk = {}
    if "citations" in context:
        content["citations"] = [
            {**citation, "id": None, "metadata": {"chunking": None}} for citation in context["citations"]
        ]
    if "intent" in context:
        content["intent"] = context["intent"]
    return {"messages": [{"role": "tool", "content": orjson.dumps(content).decode(), "end_turn": False}]}
