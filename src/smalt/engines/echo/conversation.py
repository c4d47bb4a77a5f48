"""Decides what an echo says: the last message, a tool call, or JSON of the form that was asked for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

import orjson

from smalt.core.errors import UnsupportedParameter, UnsupportedValue
from smalt.engines.echo.instances import smallest
from smalt.engines.echo.likelihood import certain
from smalt.engines.echo.words import repeated, stopped, tokens_of
from smalt.engines.protocols import ChatDelta, FinishReason, ToolCallDelta, Usage
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionNamedToolChoice,
    ChatCompletionRequestMessageContentPartText,
    ChatCompletionTool,
    ResponseFormatJsonObject,
    ResponseFormatJsonSchema,
)

ASKED_CALL = re.compile(r"call (?P<name>[\w-]+)[ \t]*(?P<arguments>\{.*\})?")
THOUGHT = "The last message is to be said again."
REFUSED = ("audio", "logit_bias", "web_search_options", "moderation")


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call: whose, and the JSON text of its arguments."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What each choice says: thoughts, then words or calls."""

    thoughts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    calls: tuple[Called, ...] = ()

    def script(self, choice: int, body: AzureCreateChatCompletionRequest, *, most: int | None) -> list[ChatDelta]:
        """One choice piece by piece, a token each, with the finish reason behind."""
        alternatives = (body.top_logprobs or 0) if body.logprobs else None
        pieces = [ChatDelta(choice, reasoning_content=thought) for thought in self.thoughts]
        pieces += [_word(choice, word, alternatives) for word in self.words]
        for index, call in enumerate(self.calls):
            pieces += [ChatDelta(choice, tool_calls=(piece,)) for piece in _call_pieces(choice, index, call)]
        finish: FinishReason = "tool_calls" if self.calls else "stop"
        if most is not None and len(pieces) > most:
            pieces, finish = pieces[:most], "length"
        return [*pieces, ChatDelta(choice, finish_reason=finish)]

    def usage(
        self, prompt_tokens: int, scripts: list[list[ChatDelta]], body: AzureCreateChatCompletionRequest
    ) -> Usage:
        """The tokens of all choices."""
        pieces = [piece for script in scripts for piece in script[:-1]]
        accepted, rejected = _came_true(body, self.words)
        return Usage(
            prompt_tokens,
            len(pieces),
            reasoning_tokens=sum(piece.reasoning_content is not None for piece in pieces),
            accepted_prediction_tokens=accepted,
            rejected_prediction_tokens=rejected,
        )


def refuse_unserved(body: AzureCreateChatCompletionRequest) -> None:
    """Refuse, by name, what an echo cannot honour."""
    for name in REFUSED:
        if getattr(body, name):
            raise UnsupportedParameter(name)
    if "audio" in (body.modalities or ()):
        message = "Unsupported value: 'modalities' does not support 'audio' with this model."
        raise UnsupportedValue(message, param="modalities")
    for position, message in enumerate(body.messages):
        for place, part in enumerate(message.content if isinstance(message.content, list) else ()):
            if part.type not in ("text", "refusal"):
                param = f"messages[{position}].content[{place}]"
                reason = f"Unsupported value: '{param}' does not support '{part.type}' with this model."
                raise UnsupportedValue(reason, param=param)


def answer(body: AzureCreateChatCompletionRequest, *, length: int | None) -> Answer:
    """What to say to a conversation; an answer in words has `length` tokens, if that is given."""
    said = last_text(body)
    thoughts = tuple(tokens_of(THOUGHT)) if body.reasoning_effort not in (None, "none") else ()
    if calls := _calls(body, said):
        return Answer(thoughts, calls=calls if body.parallel_tool_calls is not False else calls[:1])
    words = tokens_of(stopped(_formed(body, said), body.stop))
    return Answer(thoughts, tuple(words if body.response_format else repeated(words, length)))


def last_text(body: AzureCreateChatCompletionRequest) -> str:
    """The text of the last message from the user or a tool."""
    texts = [_text(message.content) for message in body.messages if message.role in ("user", "tool")]
    return texts[-1] if texts else ""


def prompt_texts(body: AzureCreateChatCompletionRequest) -> Iterator[str]:
    """Every text of a conversation, for counting."""
    for message in body.messages:
        yield _text(message.content)


def _word(choice: int, word: str, alternatives: int | None) -> ChatDelta:
    return ChatDelta(choice, word, logprobs=None if alternatives is None else (certain(word, alternatives),))


def _call_pieces(choice: int, index: int, call: Called) -> Iterator[ToolCallDelta]:
    """The name first, then the arguments a token at a time."""
    digest = sha256(f"{choice}/{index}/{call.name}/{call.arguments}".encode()).hexdigest()
    yield ToolCallDelta(index, id=f"call_{digest[:24]}", name=call.name)
    for token in tokens_of(call.arguments):
        yield ToolCallDelta(index, token)


def _came_true(body: AzureCreateChatCompletionRequest, words: tuple[str, ...]) -> tuple[int, int]:
    """How many predicted tokens came true at their place, and how many did not."""
    if body.prediction is None:
        return 0, 0
    predicted = tokens_of(_text(body.prediction.content))
    hits = sum(one == other for one, other in zip(predicted, words, strict=False))
    return hits, len(predicted) - hits


def _text(content: object) -> str:
    if isinstance(content, list):
        parts = cast("list[object]", content)
        return "".join(part.text for part in parts if isinstance(part, ChatCompletionRequestMessageContentPartText))
    return content if isinstance(content, str) else ""


def _formed(body: AzureCreateChatCompletionRequest, said: str) -> str:
    match body.response_format:
        case ResponseFormatJsonSchema(json_schema=form):
            return _json(smallest(form.schema_, param="response_format.json_schema.schema"))
        case ResponseFormatJsonObject():
            return _json({"echo": said})
        case _:
            return said


def _calls(body: AzureCreateChatCompletionRequest, said: str) -> tuple[Called, ...]:
    tools = {tool.function.name: tool for tool in body.tools or () if isinstance(tool, ChatCompletionTool)}
    choice = body.tool_choice
    if not tools or choice == "none":
        return ()
    asked = tuple(_asked(tools, said))
    if isinstance(choice, ChatCompletionNamedToolChoice):
        wanted = choice.function.name
        return tuple(call for call in asked if call.name == wanted)[:1] or (_smallest_call(tools[wanted]),)
    if choice == "required":
        return asked or (_smallest_call(next(iter(tools.values()))),)
    return asked


def _asked(tools: dict[str, ChatCompletionTool], said: str) -> Iterator[Called]:
    """The calls that a message asks for, one a line: `call NAME` or `call NAME {"its": "arguments"}`."""
    for line in said.splitlines():
        match = ASKED_CALL.fullmatch(line.strip())
        if match and match["name"] in tools:
            tool = tools[match["name"]]
            yield Called(match["name"], match["arguments"]) if match["arguments"] else _smallest_call(tool)


def _smallest_call(tool: ChatCompletionTool) -> Called:
    param = f"tools.{tool.function.name}.parameters"
    return Called(tool.function.name, _json(smallest(tool.function.parameters, param=param) or {}))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
