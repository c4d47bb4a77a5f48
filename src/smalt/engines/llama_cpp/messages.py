"""Puts a conversation into the plain messages that a chat template takes."""

from collections.abc import Sequence
from typing import Any

import orjson

from smalt.core.errors import UnsupportedParameter, UnsupportedValue
from smalt.engines.llama_cpp.tools import CLOSING, OPENING
from smalt.schemas.chat import (
    ChatCompletionRequestAssistantMessage,
    ChatCompletionRequestFunctionMessage,
    ChatCompletionRequestMessage,
    ChatCompletionRequestMessageContentPartRefusal,
    ChatCompletionRequestMessageContentPartText,
    ChatCompletionRequestToolMessage,
    ChatCompletionRequestUserMessage,
    RequestCustomToolCall,
)

Json = dict[str, Any]

NEEDS = {
    "image_url": "Images need a model that sees, and this one only reads text.",
    "input_audio": "Recordings need a model that hears, and this one only reads text.",
    "file": "Files need a model that reads them, and this one only reads text. Send the file's text as a text part.",
}

RESULTS = (ChatCompletionRequestToolMessage, ChatCompletionRequestFunctionMessage)
REMINDER = "\n\nAnswer my question with this, in plain words"
"""Said behind results that the model shall answer with: a small one would otherwise go on as it likes."""
LONGEST_REPEATED = 300
"""Characters of a question that is said again behind results; a small model has forgotten it over long ones."""


def follows_results(messages: Sequence[ChatCompletionRequestMessage]) -> bool:
    """Whether the last thing that the model is told are results of functions."""
    return isinstance(messages[-1], RESULTS)


def plain_messages(
    messages: Sequence[ChatCompletionRequestMessage],
    *,
    has_tool_template: bool,
    instructions: str | None,
    wants_answer: bool,
) -> list[Json]:
    """The messages with plain text contents; calls and their results are spelled out where the template lacks them.

    With `wants_answer` the results at the end are to be answered with.
    """
    plain: list[Json] = []
    for position, message in enumerate(messages):
        param = f"messages[{position}]"
        if has_tool_template:
            plain.append(_native(message, param))
        elif position and isinstance(message, RESULTS) and isinstance(messages[position - 1], RESULTS):
            # Results of several calls become one, as some templates want users and assistants in turn.
            plain[-1]["content"] += f"\n{_spelled_out(message, param)['content']}"
        else:
            plain.append(_spelled_out(message, param))
    if wants_answer and not has_tool_template:
        plain[-1]["content"] += _reminder(messages)
    return _with_instructions(plain, instructions) if instructions else plain


def without_system_role(messages: list[Json]) -> list[Json]:
    """The messages for a template that knows no system role: what the system says goes before the next user message."""
    plain: list[Json] = []
    told: list[str] = []
    for message in messages:
        if message["role"] == "system":
            told.append(message["content"])
        elif message["role"] == "user" and told:
            plain.append({**message, "content": "\n\n".join([*told, message["content"]])})
            told = []
        else:
            plain.append(message)
    return [*plain, {"role": "user", "content": "\n\n".join(told)}] if told else plain


def _reminder(messages: Sequence[ChatCompletionRequestMessage]) -> str:
    asked = [
        text_of(message, "messages") for message in messages if isinstance(message, ChatCompletionRequestUserMessage)
    ]
    question = asked[-1].strip() if asked else ""
    return f"{REMINDER}: {question}" if 0 < len(question) <= LONGEST_REPEATED else f"{REMINDER}."


def text_of(message: ChatCompletionRequestMessage, param: str) -> str:
    """All that a message says in words; raises for a part that is not words."""
    content = message.content
    if content is None or isinstance(content, str):
        said = content or ""
    else:
        said = "\n".join(_part(part, f"{param}.content[{position}]") for position, part in enumerate(content))
    if isinstance(message, ChatCompletionRequestAssistantMessage) and message.refusal:
        said = f"{said}\n{message.refusal}" if said else message.refusal
    return said


def _part(part: Any, param: str) -> str:
    if isinstance(part, ChatCompletionRequestMessageContentPartText):
        return part.text
    if isinstance(part, ChatCompletionRequestMessageContentPartRefusal):
        return part.refusal
    raise UnsupportedValue(
        f"Unsupported value: '{param}.type' does not support '{part.type}' with this model. {NEEDS[part.type]}",
        param=param,
    )


def _native(message: ChatCompletionRequestMessage, param: str) -> Json:
    plain: Json = {"role": _role(message), "content": _named_text(message, param)}
    if isinstance(message, ChatCompletionRequestToolMessage):
        plain["tool_call_id"] = message.tool_call_id
    if isinstance(message, ChatCompletionRequestAssistantMessage):
        if message.tool_calls:
            plain["tool_calls"] = [_call(call) for call in message.tool_calls]
        if message.reasoning_content:
            plain["reasoning_content"] = message.reasoning_content
    return plain


def _call(call: Any) -> Json:
    name, arguments = _called(call)
    return {"id": call.id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _called(call: Any) -> tuple[str, str]:
    if isinstance(call, RequestCustomToolCall):
        return call.custom.name, orjson.dumps({"input": call.custom.input}).decode()
    return call.function.name, call.function.arguments


def _spelled_out(message: ChatCompletionRequestMessage, param: str) -> Json:
    said = _named_text(message, param)
    if isinstance(message, RESULTS):
        return {"role": "user", "content": f"The function returned:\n{said}"}
    if isinstance(message, ChatCompletionRequestAssistantMessage) and message.tool_calls:
        calls = [
            f'{OPENING}\n{{"name": {orjson.dumps(name).decode()}, "arguments": {arguments or "{}"}}}\n{CLOSING}'
            for name, arguments in map(_called, message.tool_calls)
        ]
        said = "\n".join([said, *calls] if said else calls)
    return {"role": _role(message), "content": said}


def _named_text(message: ChatCompletionRequestMessage, param: str) -> str:
    """What a message says; who says it comes first where several users or assistants have names."""
    if isinstance(message, ChatCompletionRequestAssistantMessage):
        if message.audio is not None:
            raise UnsupportedParameter(f"{param}.audio", "This model does not remember spoken answers.")
        if message.function_call is not None:
            raise UnsupportedParameter(f"{param}.function_call", "Send it as tool_calls.")
    said = text_of(message, param)
    name = None if isinstance(message, ChatCompletionRequestToolMessage) else message.name
    return f"{name}: {said}" if name and said else said


def _role(message: ChatCompletionRequestMessage) -> str:
    return {"developer": "system", "function": "tool"}.get(message.role, message.role)


def _with_instructions(plain: list[Json], instructions: str) -> list[Json]:
    first = plain[0]
    if first["role"] != "system":
        return [{"role": "system", "content": instructions}, *plain]
    return [{"role": "system", "content": f"{first['content']}\n\n{instructions}"}, *plain[1:]]
