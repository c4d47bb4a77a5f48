"""Calls a hosted tool as a run of a response does, over the writer of real events."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from smalt.api.responses.showing import Showing
from smalt.api.responses.writer import ResponseWriter
from smalt.core.ids import response_id
from smalt.schemas.vocabulary import check_answer
from smalt.tools.protocols import HostedTool, Outcome

Json = dict[str, Any]
PICTURES = "response.image_generation_call"


@dataclass
class Called:
    """What came of a call: its outcome, its item as it is kept, and every event of the item."""

    outcome: Outcome
    item: Json = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        """The types of the item's events without `response.`."""
        return [event["type"].removeprefix("response.") for event in self.events]


def user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def call(tool: HostedTool, arguments: Any, items: Sequence[Json] = (), *, schema: str) -> Called:
    """Prepare the tool, call its one function with the arguments in pieces, and check the finished item."""
    events: list[Json] = []
    writer = ResponseWriter({"id": response_id(), "status": "in_progress", "output": []}, events.append)
    await tool.prepare(writer, items)
    written = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    begun = tool.begin(tool.functions()[0].name, writer)
    for start in range(0, len(written), 3):
        begun.add(written[start : start + 3])
    outcome = await begun.run()
    assert begun.item is not None
    begun.item.end(**outcome.item)
    await tool.close()
    item = writer.items[0]
    check_answer(schema, Showing(["file_search_call.results", "web_search_call.action.sources"]).item(item))
    return Called(
        outcome, item, [event for event in events if event["type"] not in {"response.created", "response.in_progress"}]
    )
