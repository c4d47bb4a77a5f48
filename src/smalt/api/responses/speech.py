"""Writes what a model itself says as output items: messages, thoughts, and calls of the client's functions."""

import re
from collections.abc import Sequence
from typing import Literal

from smalt.api.responses.plan import Json
from smalt.api.responses.reasoning import sealed
from smalt.api.responses.writer import ResponseWriter
from smalt.core.ids import tool_call_id
from smalt.engines.protocols import TokenLogprob, ToolCallDelta, TopLogprob
from smalt.tools.citations import Annotated, Annotator
from smalt.tools.protocols import Source

Status = Literal["completed", "incomplete"]
Summary = Literal["auto", "concise", "detailed"]

PARAGRAPH = re.compile(r"[ \t]*\n[ \t]*\n\s*(?=\S)")
SENTENCE_END = re.compile(r"(?<=[.!?])\s")


class Message:
    """A message of the assistant: text with annotations, or a refusal."""

    def __init__(self, writer: ResponseWriter, sources: Sequence[Source]) -> None:
        beginning: Json = {"type": "message", "status": "in_progress", "content": [], "role": "assistant"}
        self._item = writer.begin("msg_", beginning)
        self._annotator = Annotator(sources) if sources else None
        self._part: Literal["output_text", "refusal"] | None = None
        self._index = -1
        self._annotations = 0

    def say(self, text: str, logprobs: Sequence[TokenLogprob] | None = None) -> None:
        """Send a piece of the text."""
        said = Annotated(text) if self._annotator is None else self._annotator.add(text)
        self._add(said, [logprob_json(entry) for entry in logprobs or ()])

    def refuse(self, text: str) -> None:
        """Send a piece of a refusal."""
        self._turn_to("refusal", {"type": "refusal", "refusal": ""})
        self._item.emit("response.refusal.delta", content_index=self._index, delta=text)

    def end(self, status: Status) -> None:
        """Send the rest and the end."""
        self._finish_text()
        if self._part is not None:
            self._item.end_part(self._index)
        self._item.end(status=status)

    def _turn_to(self, kind: Literal["output_text", "refusal"], part: Json) -> None:
        if self._part == kind:
            return
        self._finish_text()
        if self._part is not None:
            self._item.end_part(self._index)
        self._part = kind
        self._annotations = 0
        self._index += 1
        self._item.emit("response.content_part.added", content_index=self._index, part=part)

    def _finish_text(self) -> None:
        """Send what the annotator still holds."""
        if self._annotator is not None and self._part == "output_text":
            self._add(self._annotator.finish(), [])
            self._annotator = None

    def _add(self, said: Annotated, logprobs: list[Json]) -> None:
        self._turn_to("output_text", {"type": "output_text", "annotations": [], "logprobs": [], "text": ""})
        if said.text or logprobs:
            self._item.emit("response.output_text.delta", content_index=self._index, delta=said.text, logprobs=logprobs)
        for annotation in said.annotations:
            self._item.emit(
                "response.output_text.annotation.added",
                content_index=self._index,
                annotation_index=self._annotations,
                annotation=annotation,
            )
            self._annotations += 1


class Thought:
    """What the model thought, as the text of a reasoning item."""

    def __init__(self, writer: ResponseWriter) -> None:
        self._item = writer.begin("rs_", {"type": "reasoning", "summary": [], "content": []})
        part = {"type": "reasoning_text", "text": ""}
        self._item.emit("response.content_part.added", content_index=0, part=part)

    def think(self, text: str) -> None:
        """Send a piece of the thought."""
        self._item.emit("response.reasoning.delta", content_index=0, delta=text)

    def end(self) -> None:
        """Send the end."""
        self._item.end_part(0)
        self._item.end(encrypted_content=sealed(self._item.item["content"][0]["text"]))


class SummarisedThought:
    """What the model thought, as the summary of a reasoning item: a part for each paragraph.

    `concise` leaves the first sentence of each. The whole thought goes along, sealed.
    """

    def __init__(self, writer: ResponseWriter, summary: Summary) -> None:
        self._item = writer.begin("rs_", {"type": "reasoning", "summary": [], "content": []})
        self._is_concise = summary == "concise"
        self._thought: list[str] = []
        self._held = ""
        self._last = ""
        self._index = -1
        self._is_open = False
        self._is_said = False

    def think(self, text: str) -> None:
        """Send a piece of the thought; white space waits for what comes behind it."""
        self._thought.append(text)
        self._held += text
        while found := PARAGRAPH.search(self._held):
            self._say(self._held[: found.start()])
            self._end_part()
            self._held = self._held[found.end() :]
        ready = self._held.rstrip()
        self._say(ready)
        self._held = self._held[len(ready) :]

    def end(self) -> None:
        """Send the end."""
        self._end_part()
        self._item.end(encrypted_content=sealed("".join(self._thought)))

    def _say(self, text: str) -> None:
        if not self._is_open:
            text = text.lstrip()
        if not text or self._is_said:
            return
        if self._is_concise and (end := SENTENCE_END.search(self._last + text)):
            text = text[: end.start() - len(self._last)]
            self._is_said = True
        self._begin_part()
        self._last = text[-1:] or self._last
        if text:
            self._item.emit("response.reasoning_summary_text.delta", summary_index=self._index, delta=text)

    def _begin_part(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._index += 1
            part = {"type": "summary_text", "text": ""}
            self._item.emit("response.reasoning_summary_part.added", summary_index=self._index, part=part)

    def _end_part(self) -> None:
        if self._is_open:
            self._item.end_summary_part(self._index)
        self._is_open = self._is_said = False
        self._last = ""


class FunctionCall:
    """A call of a function that the client has."""

    def __init__(self, writer: ResponseWriter, call: ToolCallDelta) -> None:
        beginning: Json = {
            "type": "function_call",
            "status": "in_progress",
            "arguments": "",
            "call_id": call.id or tool_call_id(),
            "name": call.name,
        }
        self._item = writer.begin("fc_", beginning)

    def add(self, arguments: str) -> None:
        """Send a piece of the arguments."""
        if arguments:
            self._item.emit("response.function_call_arguments.delta", delta=arguments)

    def end(self, status: Status) -> None:
        """Send the whole arguments and the end."""
        self._item.end_arguments()
        self._item.end(status=status)


def logprob_json(entry: TokenLogprob) -> Json:
    """A token's log-probability and its likeliest alternatives."""
    return {**_likelihood(entry), "top_logprobs": [_likelihood(top) for top in entry.top]}


def _likelihood(entry: TokenLogprob | TopLogprob) -> Json:
    return {"token": entry.token, "logprob": entry.logprob, "bytes": list(entry.bytes or ())}
