"""Reads functions, the older way, as the tools they became, so that engines know only tools."""

from typing import Any

from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionRequestAssistantMessage,
    ChatCompletionRequestFunctionMessage,
)

Json = dict[str, Any]


def with_tools(body: AzureCreateChatCompletionRequest) -> AzureCreateChatCompletionRequest:
    """The same request in words of tools; the body itself when it has nothing of the older way."""
    if body.functions is None and not any(_is_legacy(message) for message in body.messages):
        return body
    sent = body.model_dump(exclude_unset=True)
    sent["messages"] = _messages(sent["messages"])
    functions = sent.pop("functions", None)
    choice = sent.pop("function_call", None)
    if functions:
        sent["tools"] = [{"type": "function", "function": function} for function in functions]
        sent["parallel_tool_calls"] = False
        if choice is not None:
            sent["tool_choice"] = choice if isinstance(choice, str) else {"type": "function", "function": choice}
    return AzureCreateChatCompletionRequest.model_validate(sent)


def _is_legacy(message: object) -> bool:
    if isinstance(message, ChatCompletionRequestAssistantMessage):
        return message.function_call is not None
    return isinstance(message, ChatCompletionRequestFunctionMessage)


def _messages(messages: list[Json]) -> list[Json]:
    """The conversation with a call and an id for every function's result, even where the call was left out."""
    converted: list[Json] = []
    open_call: str | None = None
    for position, message in enumerate(messages):
        if message["role"] == "function":
            if open_call is None:
                open_call = f"call_{position}"
                converted.append(_call({"role": "assistant"}, open_call, {"name": message["name"], "arguments": "{}"}))
            converted.append({"role": "tool", "tool_call_id": open_call, "content": message["content"] or ""})
            open_call = None
        elif message.get("function_call"):
            open_call = f"call_{position}"
            called = message["function_call"]
            rest = {key: value for key, value in message.items() if key != "function_call"}
            converted.append(_call(rest, open_call, called))
        else:
            open_call = None
            converted.append(message)
    return converted


def _call(message: Json, call_id: str, function: Json) -> Json:
    return {**message, "tool_calls": [{"id": call_id, "type": "function", "function": function}]}
