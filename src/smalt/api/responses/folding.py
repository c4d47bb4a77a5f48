"""Folds the events of a response into the response object, which is all that is ever stored of it."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass

from smalt.api.responses.plan import Json


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is written in pieces: the field of an item, or of a part in one of its lists."""

    field: str
    parts: str | None = None
    index: str = ""
    """The key under which an event tells the part's place in its list."""


TEXTS: Mapping[str, Text] = {
    "response.output_text": Text("text", "content", "content_index"),
    "response.refusal": Text("refusal", "content", "content_index"),
    "response.reasoning": Text("text", "content", "content_index"),
    "response.reasoning_summary_text": Text("text", "summary", "summary_index"),
    "response.function_call_arguments": Text("arguments"),
    "response.code_interpreter_call_code": Text("code"),
}
"""What the events that end in `.delta` and `.done` write, by the rest of their type."""

PARTS: Mapping[str, tuple[str, str]] = {
    "response.content_part": ("content", "content_index"),
    "response.reasoning_summary_part": ("summary", "summary_index"),
}
"""The list that the events which end in `.added` and `.done` change, by the rest of their type."""

Place = tuple[int, str | None, int, str]
"""Item, list, part and field of a text."""


class ResponseFold:
    """Takes a response's events in their order; `response` is what they come to.

    The output comes from the events of its items alone, never from the copies that some events carry.
    """

    def __init__(self) -> None:
        self._response: Json = {}
        self._output: list[Json] = []
        self._pieces: dict[Place, list[str]] = {}

    def add(self, event: Json) -> None:
        """Take in one event; nothing of it is shared with what is changed later."""
        _HANDLERS.get(event["type"], _ignore)(self, event)

    def response(self) -> Json:
        """The object as it is now; its items may still change."""
        self._settle()
        return {**self._response, "output": list(self._output)}

    def items(self) -> list[Json]:
        """The items so far; they may still change."""
        self._settle()
        return list(self._output)

    def item(self, index: int) -> Json:
        """One item as it is now, to be changed by nobody."""
        self._settle()
        return self._output[index]

    def _settle(self) -> None:
        """Put pieces together; only now and then, since a text grows by thousands of them."""
        for (index, parts, part, field), pieces in self._pieces.items():
            holder = self._output[index] if parts is None else self._output[index][parts][part]
            holder[field] = (holder[field] or "") + "".join(pieces)
        self._pieces.clear()

    def take_response(self, event: Json) -> None:
        """The fields beside the output."""
        self._response = {name: value for name, value in event["response"].items() if name != "output"}

    def add_item(self, event: Json) -> None:
        """A new item behind the others."""
        self._output.append(deepcopy(event["item"]))

    def end_item(self, event: Json) -> None:
        """An item as it stays."""
        self._settle()
        self._output[event["output_index"]] = event["item"]

    def add_part(self, event: Json, parts: str) -> None:
        """A new part of an item."""
        held: list[Json] = self._item_of(event)[parts]
        held.append(deepcopy(event["part"]))

    def end_part(self, event: Json, parts: str, index: str) -> None:
        """A part as it stays."""
        self._settle()
        self._item_of(event)[parts][event[index]] = event["part"]

    def add_text(self, event: Json, text: Text) -> None:
        """A piece of a text."""
        part = event[text.index] if text.parts else 0
        self._pieces.setdefault((event["output_index"], text.parts, part, text.field), []).append(event["delta"])
        if text.parts and event.get("logprobs"):
            logprobs: list[Json] = self._item_of(event)[text.parts][part]["logprobs"]
            logprobs.extend(event["logprobs"])

    def end_text(self, event: Json, text: Text) -> None:
        """A text as it stays."""
        self._settle()
        item = self._item_of(event)
        holder: Json = item[text.parts][event[text.index]] if text.parts else item
        holder[text.field] = event[text.field]

    def annotate(self, event: Json) -> None:
        """One more annotation of a text."""
        held: list[Json] = self._item_of(event)["content"][event["content_index"]]["annotations"]
        held.append(event["annotation"])

    def _item_of(self, event: Json) -> Json:
        index: int = event["output_index"]
        return self._output[index]


Handler = Callable[[ResponseFold, Json], None]


def _ignore(fold: ResponseFold, event: Json) -> None:
    """Progress of a tool changes nothing."""


def _text_handlers(text: Text) -> tuple[Handler, Handler]:
    return (lambda fold, event: fold.add_text(event, text)), (lambda fold, event: fold.end_text(event, text))


def _part_handlers(parts: str, index: str) -> tuple[Handler, Handler]:
    return (lambda fold, event: fold.add_part(event, parts)), (lambda fold, event: fold.end_part(event, parts, index))


def _handlers() -> dict[str, Handler]:
    states = ("created", "queued", "in_progress", "completed", "incomplete", "failed")
    handlers: dict[str, Handler] = {f"response.{state}": ResponseFold.take_response for state in states}
    handlers["response.output_item.added"] = ResponseFold.add_item
    handlers["response.output_item.done"] = ResponseFold.end_item
    handlers["response.output_text.annotation.added"] = ResponseFold.annotate
    for name, text in TEXTS.items():
        handlers[f"{name}.delta"], handlers[f"{name}.done"] = _text_handlers(text)
    for name, (parts, index) in PARTS.items():
        handlers[f"{name}.added"], handlers[f"{name}.done"] = _part_handlers(parts, index)
    return handlers


_HANDLERS = _handlers()
