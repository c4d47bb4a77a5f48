"""The one place that makes a response's events: it numbers them, folds them into the object and passes them on."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from smalt.api.responses.folding import ResponseFold
from smalt.api.responses.plan import Json
from smalt.core.clock import now
from smalt.core.ids import item_id

Sink = Callable[[Json], None]
"""Takes one event; never waits, never fails, never changes it."""

ENDINGS = {
    "output_text": ("response.output_text.done", "text"),
    "refusal": ("response.refusal.done", "refusal"),
    "reasoning_text": ("response.reasoning.done", "text"),
}
"""How the text of a part ends, by the part's type: the event, and the field with the text."""

End = Literal["completed", "incomplete", "failed"]


class ResponseWriter:
    """Writes one response, from its beginning or on from the events `before`; output items begin here.

    `response` is the object as it begins.
    """

    def __init__(self, response: Json, sink: Sink, before: Sequence[Json] = ()) -> None:
        self._beginning = response
        self._sink = sink
        self._fold = ResponseFold()
        self._open: dict[int, Item] = {}
        self._seen: set[str] = set()
        self._notes: Json = {}
        self._next_number = 0
        for event in before:
            self._replay(event)

    @property
    def has_started(self) -> bool:
        """Whether events have gone out, now or before."""
        return self._next_number > 0

    @property
    def response(self) -> Json:
        """The object as it is now."""
        return self._fold.response() if self.has_started else self._beginning

    @property
    def items(self) -> list[Json]:
        """The output so far."""
        return self._fold.items()

    def start(self) -> None:
        """Tell that the response was made and that it is at work; what was told before is not told again."""
        if "response.created" not in self._seen:
            self._send("response.created", response=self._beginning)
        if self._beginning["status"] == "queued" and "response.queued" not in self._seen:
            self._send("response.queued", response=self._beginning)
        if "response.in_progress" not in self._seen:
            self._send("response.in_progress", response={**self._fold.response(), "status": "in_progress"})

    def queue(self) -> None:
        """Tell that the response was made and waits for its turn."""
        self._send("response.created", response=self._beginning)
        self._send("response.queued", response=self._beginning)

    def begin(self, prefix: str, item: Json) -> "Item":
        """Add an item behind the others; the id, which begins with `prefix`, is put in front."""
        self.start()
        index = len(self._fold.items())
        begun = Item(self, index, {"id": item_id(prefix, self._beginning["id"]), **item})
        self._open[index] = begun
        self._send("response.output_item.added", output_index=index, item=begun.beginning)
        return begun

    def interrupt(self) -> None:
        """End the items that are still open as incomplete."""
        for item in list(self._open.values()):
            item.end_parts()
            item.end(status="incomplete")

    def end(self, status: End, **fields: Any) -> None:
        """Send the last event; the object has these fields at its end."""
        self.start()
        response = {**self._fold.response(), "status": status, **fields}
        if response.get("service_tier") == "auto":
            response["service_tier"] = "default"
        if "completed_at" in response and status == "completed":
            response["completed_at"] = now()
        self._send(f"response.{status}", response=response)

    def fail(self, *, code: str, message: str, param: str | None, told_as: str, **fields: Any) -> None:
        """End with an error: an event of its own with `code`, and one whose response has the code `told_as`."""
        self.start()
        self.interrupt()
        self._send("error", code=code, message=message, param=param)
        self.end("failed", error={"code": told_as, "message": message}, **fields)

    def note(self, **fields: Any) -> None:
        """Keep these fields with the item that ends next; their names begin with an underscore."""
        self._notes |= fields

    def emit(self, item: "Item", type_: str, **fields: Any) -> None:
        """Send an event of an item."""
        self._send(type_, item_id=item.id, output_index=item.index, **fields)

    def finish(self, item: "Item", fields: Json) -> None:
        """Send the end of an item, with these fields put in; it is completed, if they do not say otherwise."""
        if self._open.pop(item.index, None) is None:
            return
        done = {**item.item, **fields, **self._notes}
        self._notes = {}
        if "status" not in item.beginning:
            done.pop("status", None)
        elif "status" not in fields:
            done["status"] = "completed"
        self._send("response.output_item.done", output_index=item.index, item=done)

    def item(self, index: int) -> Json:
        """An item as it is now."""
        return self._fold.item(index)

    def _send(self, type_: str, **fields: Any) -> None:
        event = {"type": type_, **fields, "sequence_number": self._next_number}
        self._next_number += 1
        self._seen.add(type_)
        self._fold.add(event)
        self._sink(event)

    def _replay(self, event: Json) -> None:
        self._next_number = event["sequence_number"] + 1
        self._seen.add(event["type"])
        self._fold.add(event)
        if event["type"] == "response.output_item.added":
            index = event["output_index"]
            self._open[index] = Item(self, index, event["item"])
        elif event["type"] == "response.output_item.done":
            self._open.pop(event["output_index"], None)
        elif "output_index" in event:
            self._open[event["output_index"]].note(event["type"], event)


class Item:
    """One output item while it is made."""

    def __init__(self, writer: ResponseWriter, index: int, beginning: Json) -> None:
        self._writer = writer
        self._ended: set[tuple[str, int]] = set()
        self.index = index
        self.beginning = beginning

    @property
    def id(self) -> str:
        """The item's id."""
        return self.beginning["id"]

    @property
    def item(self) -> Json:
        """The item as it is now."""
        return self._writer.item(self.index)

    def emit(self, type_: str, **fields: Any) -> None:
        """Send an event of this item."""
        self.note(type_, fields)
        self._writer.emit(self, type_, **fields)

    def note(self, type_: str, fields: Json) -> None:
        """Remember what is done, so that it is not done again when the item is ended for its maker."""
        if type_.endswith(".done"):
            self._ended.add((type_, fields.get("content_index", fields.get("summary_index", 0))))

    def end(self, **fields: Any) -> None:
        """Send the end of this item, with these fields put in; nothing the second time."""
        self._writer.finish(self, fields)

    def end_part(self, index: int) -> None:
        """Send the whole text of a part of the content, and the whole part."""
        part = dict(self.item["content"][index])
        event, field = ENDINGS[part["type"]]
        logprobs = {"logprobs": list(part["logprobs"])} if "logprobs" in part else {}
        self._finish(event, content_index=index, **{field: part[field]}, **logprobs)
        self._finish("response.content_part.done", content_index=index, part=part)

    def end_summary_part(self, index: int) -> None:
        """Send the whole text of a part of the summary, and the whole part."""
        part = dict(self.item["summary"][index])
        self._finish("response.reasoning_summary_text.done", summary_index=index, text=part["text"])
        self._finish("response.reasoning_summary_part.done", summary_index=index, part=part)

    def end_arguments(self) -> None:
        """Send the whole arguments of a function call."""
        call = self.item
        self._finish("response.function_call_arguments.done", arguments=call["arguments"], name=call["name"])

    def end_parts(self) -> None:
        """Send the end of what is being written, wherever that stopped: of the last part, or of a call's arguments."""
        now = self.item
        if now["type"] in {"message", "reasoning"} and now["content"]:
            self.end_part(len(now["content"]) - 1)
        elif now["type"] == "reasoning" and now["summary"]:
            self.end_summary_part(len(now["summary"]) - 1)
        elif now["type"] == "function_call":
            self.end_arguments()

    def _finish(self, type_: str, **fields: Any) -> None:
        if (type_, fields.get("content_index", fields.get("summary_index", 0))) not in self._ended:
            self.emit(type_, **fields)
