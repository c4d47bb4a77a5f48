"""Tells the items of a response to a chat model: as messages, and with the tools of the turn as a chat request."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from smalt.api.responses import formats
from smalt.api.responses.choices import chosen
from smalt.api.responses.input_files import READ, place
from smalt.api.responses.plan import Plan, TurnOptions
from smalt.api.responses.reasoning import keeps_every_thought, thought_of
from smalt.api.responses.retelling import retold
from smalt.api.responses.toolset import offered
from smalt.http.validation import invalid_request
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.tools.protocols import TOLD

Json = dict[str, Any]

PASSED_ON = (
    "temperature",
    "top_p",
    "user",
    "safety_identifier",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
)
"""Fields that mean the same in a chat request."""

LOGPROBS = "message.output_text.logprobs"
CLIENT_CALLS = {"computer_call": "computer", "local_shell_call": "local_shell"}
"""Calls of tools that the client acts for, and the function that stands for each tool."""

OUTPUTS = frozenset(
    {"function_call_output", "custom_tool_call_output", "computer_call_output", "local_shell_call_output"}
)


def chat_request(plan: Plan, output: Sequence[Json], turn: TurnOptions) -> AzureCreateChatCompletionRequest:
    """What the model is asked in one turn, after the `output` so far; hosted tools are prepared by now.

    Raises `InvalidRequest` for what no chat request can hold.
    """
    asked = plan.request.model_dump(exclude_unset=True, exclude={"input", "instructions", "prompt"})
    body: Json = {name: asked[name] for name in PASSED_ON if asked.get(name) is not None}
    body["model"] = plan.request.model
    body["messages"] = chat_messages(
        [*plan.context, *plan.input, *output],
        instructions=plan.response.get("instructions"),
        keeps_every_thought=keeps_every_thought(asked.get("reasoning")),
    )
    body |= formats.chat_fields(asked.get("text"))
    if plan.request.stream:
        body["stream"] = True
    if turn.max_output_tokens is not None:
        body["max_completion_tokens"] = turn.max_output_tokens
    reasoning: Json = asked.get("reasoning") or {}
    if reasoning.get("effort") is not None:
        body["reasoning_effort"] = reasoning["effort"]
    if LOGPROBS in plan.include or asked.get("top_logprobs"):
        body |= {"logprobs": True, "top_logprobs": asked.get("top_logprobs") or 0}
    if turn.offers_tools:
        body |= _tool_fields(plan, asked, is_first=turn.is_first)
    return _validated(body)


def chat_messages(
    items: Sequence[Json], *, instructions: str | None = None, keeps_every_thought: bool = False
) -> list[Json]:
    """The items as chat messages, `instructions` first; a call stands right before its results."""
    conversation = _Conversation(items, thoughts_from=0 if keeps_every_thought else _last_question(items))
    if instructions:
        conversation.messages.append({"role": "system", "content": instructions})
    for position, item in enumerate(items):
        conversation.tell(position, item)
    conversation.settle()
    return conversation.messages


def _validated(body: Json) -> AzureCreateChatCompletionRequest:
    try:
        return AzureCreateChatCompletionRequest.model_validate(body)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise invalid_request(RequestValidationError(found, body=body)) from None


def _tool_fields(plan: Plan, asked: Json, *, is_first: bool) -> Json:
    offers = offered(plan.client_functions, plan.tools)
    choice = chosen(asked.get("tool_choice"), asked.get("tools") or [], plan.tools, offers, is_first=is_first)
    if not choice.names:
        return {}
    tools: list[Json] = []
    for name in choice.names:
        function = offers[name].function
        described: Json = {"name": name, "parameters": dict(function.parameters)}
        if function.description:
            described["description"] = function.description
        if function.strict:
            described["strict"] = True
        tools.append({"type": "function", "function": described})
    fields: Json = {"tools": tools, "tool_choice": choice.mode}
    if choice.mode == "required" and len(tools) == 1:
        fields["tool_choice"] = {"type": "function", "function": {"name": choice.names[0]}}
    if asked.get("parallel_tool_calls") is not None:
        fields["parallel_tool_calls"] = asked["parallel_tool_calls"]
    return fields


def _last_question(items: Sequence[Json]) -> int:
    """Where the user spoke last: thoughts before it are not told again."""
    places = (at for at, item in enumerate(items) if item["type"] == "message" and item["role"] == "user")
    return max(places, default=0)


class _Conversation:
    """Writes messages; knows which calls still wait for their results."""

    def __init__(self, items: Sequence[Json], *, thoughts_from: int) -> None:
        self.messages: list[Json] = []
        outputs = [item for item in items if item["type"] in OUTPUTS]
        self._outputs = {item["call_id"]: item for item in outputs if item.get("call_id")}
        # The output of a local shell need not name its call.
        self._unnamed = [item for item in outputs if not item.get("call_id")]
        self._requests = {item["id"]: item for item in items if item["type"] == "mcp_approval_request"}
        self._thoughts_from = thoughts_from
        self._thought = ""
        self._waiting: list[tuple[str, Json]] = []

    def tell(self, position: int, item: Json) -> None:
        """Tell the next item."""
        kind: str = item["type"]
        if kind == "reasoning":
            self.settle()
            if position >= self._thoughts_from:
                self._thought = "\n\n".join(filter(None, [self._thought, thought_of(item)]))
        elif kind == "message":
            self.settle()
            self._say(item)
        elif kind in ("function_call", "custom_tool_call") or kind in CLIENT_CALLS:
            self._call_client(kind, item)
        elif kind in OUTPUTS:
            # The calls before it belong together, and its result has been found by its call.
            self.settle()
        elif kind == "mcp_approval_response":
            self._deny(item)
        else:
            self._tell_hosted(item)

    def settle(self) -> None:
        """Tell the results of the calls that stand last."""
        waiting, self._waiting = self._waiting, []
        pictures: list[Json] = []
        for call_id, output in waiting:
            text, shown = _output_content(output)
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
            pictures += shown
        if pictures:
            # The results of tools are text in a chat, so that pictures come right behind them.
            self.messages.append({"role": "user", "content": pictures})

    def _say(self, item: Json) -> None:
        if item["role"] == "assistant":
            self.messages.append(self._assistant(_assistant_content(item)))
            return
        self._thought = ""
        self.messages.append({"role": item["role"], "content": _user_content(item)})

    def _call_client(self, kind: str, item: Json) -> None:
        call_id: str = item["call_id"]
        output = self._outputs.get(call_id) or self._outputs.get(item["id"])
        if output is None and kind == "local_shell_call" and self._unnamed:
            output = self._unnamed.pop(0)
        if output is None:
            # The model was cut off in the middle of the call, so that nobody could answer it.
            return
        name, arguments = _client_call(kind, item)
        self._call(call_id, name, arguments)
        self._waiting.append((call_id, output))

    def _tell_hosted(self, item: Json) -> None:
        told: Json | None = item.get(TOLD) or retold(item)
        if told is not None:
            self._exchange(item["id"], told["name"], told["arguments"], told["output"])

    def _deny(self, item: Json) -> None:
        """Tell of a call that the client did not allow; one that it did allow is an item of its own."""
        request = self._requests.get(item["approval_request_id"])
        if request is not None and not item["approve"]:
            reason = f" The reason: {item['reason']}" if item.get("reason") else ""
            said = f"The user did not allow this call, so it was not made.{reason}"
            self._exchange(request["id"], request["name"], request["arguments"], said)

    def _exchange(self, call_id: str, name: str, arguments: str, output: str) -> None:
        self.settle()
        self._call(call_id, name, arguments)
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": output})

    def _call(self, call_id: str, name: str, arguments: str) -> None:
        """Add a call to the assistant's message that stands last, or a message for it."""
        call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        last = self.messages[-1] if self.messages else None
        if last is not None and last["role"] == "assistant" and not self._thought:
            last.setdefault("tool_calls", []).append(call)
        else:
            self.messages.append(self._assistant({"tool_calls": [call]}))

    def _assistant(self, fields: Json) -> Json:
        thought, self._thought = self._thought, ""
        return {"role": "assistant", **({"reasoning_content": thought} if thought else {}), **fields}


def _client_call(kind: str, item: Json) -> tuple[str, str]:
    if kind == "function_call":
        return item["name"], item["arguments"]
    if kind == "custom_tool_call":
        return item["name"], _json({"input": item["input"]})
    told: Json = item.get(TOLD) or {"name": CLIENT_CALLS[kind], "arguments": _json(item["action"])}
    return told["name"], told["arguments"]


def _user_content(item: Json) -> str | list[Json]:
    parts = list(_chat_parts(item, "content", item["content"]))
    if len(parts) == 1 and parts[0]["type"] == "text":
        return parts[0]["text"]
    return parts or ""


def _assistant_content(item: Json) -> Json:
    said = [part["text"] for part in item["content"] if part["type"] == "output_text"]
    refused = [part["refusal"] for part in item["content"] if part["type"] == "refusal"]
    fields: Json = {"content": "".join(said)}
    return {**fields, "refusal": "".join(refused)} if refused else fields


def _output_content(item: Json) -> tuple[str, list[Json]]:
    """What a result says, and the pictures in it."""
    output: Any = item["output"]
    if isinstance(output, str):
        return output, []
    shown: list[Json] = cast("list[Json]", output) if isinstance(output, list) else [output]
    parts = list(_chat_parts(item, "output", shown))
    texts = [part["text"] for part in parts if part["type"] == "text"]
    pictures = [part for part in parts if part["type"] != "text"]
    if pictures:
        texts.append("(See the picture below.)" if len(pictures) == 1 else "(See the pictures below.)")
    return "\n".join(texts), pictures


def _chat_parts(item: Json, field: str, parts: Sequence[Json]) -> Iterator[Json]:
    read: Mapping[str, str] = item.get(READ, {})
    for position, part in enumerate(parts):
        yield _PARTS[part["type"]](part, read.get(place(field, position)))


def _text(part: Json, _: str | None) -> Json:
    return {"type": "text", "text": part["text"]}


def _image(part: Json, read: str | None) -> Json:
    shown: Json = {"url": read or part["image_url"]}
    if part.get("detail") in ("low", "high", "auto"):
        shown["detail"] = part["detail"]
    return {"type": "image_url", "image_url": shown}


def _file(part: Json, read: str | None) -> Json:
    return {"type": "text", "text": read or f"(The file {part.get('filename') or 'sent along'} was not read.)"}


def _audio(part: Json, _: str | None) -> Json:
    return {"type": "input_audio", "input_audio": {"data": part["data"], "format": part["format"]}}


_PARTS: Mapping[str, Callable[[Json, str | None], Json]] = {
    "input_text": _text,
    "output_text": _text,
    "input_image": _image,
    "computer_screenshot": _image,
    "input_file": _file,
    "input_audio": _audio,
}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
