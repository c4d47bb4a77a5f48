"""Shows items, events and responses without what `include` did not ask for."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from smalt.api.responses.plan import Json

LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"
PICTURES = "message.input_image.image_url"


class Showing:
    """What one client sees of stored items, which are kept whole."""

    def __init__(self, include: Collection[str]) -> None:
        self._include = frozenset(include)
        self._hides_logprobs = LOGPROBS not in self._include

    def response(self, response: Json) -> Json:
        """A response object."""
        return {**response, "output": [self.item(item) for item in response["output"]]}

    def item(self, item: Json) -> Json:
        """An item of input or output."""
        shown = {name: value for name, value in item.items() if not name.startswith("_")}
        change = _CHANGES.get(str(item.get("type", "message")))
        if change is not None:
            change(shown, self._include)
        return shown

    def event(self, event: Json) -> Json:
        """An event; most are shown as they are."""
        if "item" in event:
            return {**event, "item": self.item(event["item"])}
        if "response" in event:
            return {**event, "response": self.response(event["response"])}
        if "part" in event:
            return {**event, "part": _part(event["part"], self._include)}
        if self._hides_logprobs and event.get("logprobs"):
            return {**event, "logprobs": []}
        return event


def _part(part: Json, include: frozenset[str]) -> Json:
    """A part of a message: its log-probabilities and pictures are shown on demand."""
    if part.get("logprobs") and LOGPROBS not in include:
        return {**part, "logprobs": []}
    if part.get("type") == "input_image" and part.get("image_url") and PICTURES not in include:
        return {**part, "image_url": None}
    return part


def _message(item: Json, include: frozenset[str]) -> None:
    content: Any = item.get("content")
    if isinstance(content, list):
        item["content"] = [_part(part, include) for part in cast("list[Json]", content)]


def _hiding(field: str, wish: str) -> Callable[[Json, frozenset[str]], None]:
    """Shows a field as null unless it was wished for."""

    def hide(item: Json, include: frozenset[str]) -> None:
        if wish not in include:
            item[field] = None

    return hide


def _reasoning(item: Json, include: frozenset[str]) -> None:
    if ENCRYPTED not in include:
        item.pop("encrypted_content", None)


def _screenshot(item: Json, include: frozenset[str]) -> None:
    output = item.get("output")
    if isinstance(output, dict) and "computer_call_output.output.image_url" not in include:
        shown = cast("Json", output)
        item["output"] = {**shown, "image_url": None}


def _web_search(item: Json, include: frozenset[str]) -> None:
    action = item.get("action")
    if isinstance(action, dict) and "web_search_call.action.sources" not in include:
        shown = cast("Json", action)
        item["action"] = {name: value for name, value in shown.items() if name != "sources"}


_CHANGES: Mapping[str, Callable[[Json, frozenset[str]], None]] = {
    "message": _message,
    "file_search_call": _hiding("results", "file_search_call.results"),
    "code_interpreter_call": _hiding("outputs", "code_interpreter_call.outputs"),
    "reasoning": _reasoning,
    "computer_call_output": _screenshot,
    "web_search_call": _web_search,
}
