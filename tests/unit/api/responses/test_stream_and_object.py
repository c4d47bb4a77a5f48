"""The stored object is the fold of its own stream, whatever an engine says and wherever a run was killed."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responding import LookTool, Story, Turn, planned, source, told
from smalt.api.responses.folding import ResponseFold
from smalt.api.responses.showing import Showing
from smalt.core.errors import EngineFailed
from smalt.engines.protocols import ChatDelta, Serving, TokenLogprob, ToolCallDelta, Usage
from smalt.schemas.vocabulary import check_answer
from smalt.tools.protocols import Json, Outcome

ENDS = {"response.completed", "response.incomplete", "response.failed"}
FACTS = "The tower was painted blue in 1932 by sailors from Bergen. Nobody paid them."


@pytest.fixture(scope="module", autouse=True)
def _without_a_log() -> Iterator[None]:
    """Engines break here by the hundred, and each failure would be written down with its traceback."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


texts = st.sampled_from(
    ["The tower ", "was painted blue ", "in 1932 ", "[doc1]", ". ", "\n\n", "Nobody paid them", "é", "🦀 ", "```", "x"]
)
words = st.builds(
    lambda text, scored: ChatDelta(content=text, logprobs=(TokenLogprob(text, -0.5, None),) if scored else None),
    texts,
    st.booleans(),
)
thoughts = st.builds(lambda text: ChatDelta(reasoning_content=text), texts)
refusals = st.builds(lambda text: ChatDelta(refusal=text), texts)
noise = st.sampled_from([ChatDelta(), Serving("told"), ChatDelta(choice=1, content="other")])


@st.composite
def calls(draw: st.DrawFn) -> list[ChatDelta]:
    """A few calls, their arguments in pieces that may be mixed."""
    names = draw(st.lists(st.sampled_from(["look", "add"]), min_size=1, max_size=3))
    begun = [
        ChatDelta(tool_calls=(ToolCallDelta(index, id=f"call_{index}", name=name),)) for index, name in enumerate(names)
    ]
    pieces = draw(st.lists(st.integers(0, len(names) - 1), max_size=6))
    return [*begun, *(ChatDelta(tool_calls=(ToolCallDelta(index, "{}"),)) for index in pieces)]


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    """One answer of an engine: anything in any order, whole, cut off or broken."""
    pieces: list[Any] = draw(st.lists(st.one_of(words, words, thoughts, refusals, noise), max_size=8))
    if draw(st.booleans()):
        pieces += draw(calls())
    end = draw(st.sampled_from(["stop", "stop", "tool_calls", "length", "content_filter", None, "broken"]))
    if end == "broken":
        return [ChatDelta(content="Well, "), *pieces, EngineFailed("It broke.")]
    if end is None:
        return [ChatDelta(content="Well, "), *pieces]
    usage = [Usage(3, len(pieces))] if draw(st.booleans()) else []
    return [*pieces, ChatDelta(finish_reason=end), *usage]


requests = st.fixed_dictionaries(
    {},
    optional={
        "reasoning": st.sampled_from([{"summary": "auto"}, {"summary": "concise"}, {"effort": "low"}]),
        "max_tool_calls": st.integers(1, 2),
        "max_output_tokens": st.sampled_from([16, 1000]),
        "parallel_tool_calls": st.booleans(),
        "background": st.just(value=True),
    },
)


def ran(request: Json, script: Sequence[Turn], before: Sequence[Json] = ()) -> Story:
    """Run a request with the tool, the client's function, and four turns at most."""
    tool = LookTool(lambda arguments: Outcome(f"seen: {arguments}", sources=[source(FACTS, "[doc1]")]))
    plan = planned([tool], ["add"], **request)
    return asyncio.run(told(plan, *script, before=before, most_turns=4))


def folded(events: Sequence[Json]) -> Json:
    fold = ResponseFold()
    for event in events:
        fold.add(event)
    return fold.response()


SPELLED = {
    "response.output_text": ("content", "content_index", "text"),
    "response.refusal": ("content", "content_index", "refusal"),
    "response.reasoning": ("content", "content_index", "text"),
    "response.reasoning_summary_text": ("summary", "summary_index", "text"),
    "response.function_call_arguments": (None, "", "arguments"),
}


class Reader:
    """A client that believes only what is added, never a whole text, part or item; it checks the order as it reads."""

    def __init__(self) -> None:
        self.output: list[Json] = []
        self.open_items: set[int] = set()
        self.open_parts: set[tuple[int, str, int]] = set()
        self.number = -1
        self.is_over = False

    def read(self, event: Json) -> None:
        assert not self.is_over
        assert event["sequence_number"] == self.number + 1
        self.number += 1
        kind = event["type"]
        if "output_index" in event:
            self._read_of_item(kind, event)
        else:
            assert kind in {"response.created", "response.queued", "response.in_progress", "error", *ENDS}
            self.is_over = kind in ENDS
            if self.is_over:
                assert not self.open_items
                assert not self.open_parts

    def _read_of_item(self, kind: str, event: Json) -> None:
        index = event["output_index"]
        if kind == "response.output_item.added":
            assert index == len(self.output)
            self.output.append(
                {**event["item"], **{name: [] for name in ("content", "summary") if name in event["item"]}}
            )
            self.open_items.add(index)
            return
        assert index in self.open_items
        item = self.output[index]
        assert event.get("item_id", item["id"]) == item["id"]
        if kind == "response.output_item.done":
            assert event["item"]["id"] == item["id"]
            assert not any(place[0] == index for place in self.open_parts)
            self.open_items.discard(index)
        elif kind.startswith(("response.content_part", "response.reasoning_summary_part")):
            self._read_of_part(kind, event, item)
        else:
            self._read_text(kind, event, item)

    def _read_of_part(self, kind: str, event: Json, item: Json) -> None:
        parts = "content" if "content_index" in event else "summary"
        place = (event["output_index"], parts, event[f"{parts}_index"])
        if kind.endswith(".added"):
            assert place[2] == len(item[parts])
            item[parts].append(
                {**event["part"], **{name: [] for name in ("annotations", "logprobs") if name in event["part"]}}
            )
            self.open_parts.add(place)
        else:
            assert event["part"] == item[parts][place[2]]
            self.open_parts.remove(place)

    def _read_text(self, kind: str, event: Json, item: Json) -> None:
        stem, _, end = kind.rpartition(".")
        if kind == "response.output_text.annotation.added":
            annotations = item["content"][event["content_index"]]["annotations"]
            assert event["annotation_index"] == len(annotations)
            annotations.append(event["annotation"])
        elif stem in SPELLED:
            parts, index, field = SPELLED[stem]
            holder = item[parts][event[index]] if parts else item
            if parts:
                assert (event["output_index"], parts, event[index]) in self.open_parts
            if end == "delta":
                holder[field] += event["delta"]
                holder.get("logprobs", []).extend(event.get("logprobs", []))
            else:
                assert event[field] == holder[field]


def emptied(value: Json, *names: str) -> Json:
    """The value with lists of its own, empty as they are at first."""
    assert not any(value.get(name) for name in names)
    return {**value, **{name: [] for name in names if name in value}}


def contents(output: Sequence[Json]) -> list[Json]:
    """What items say, without what is known only at their end."""
    fields = ("id", "type", "content", "summary", "arguments", "name", "call_id")
    return [{name: item[name] for name in fields if name in item} for item in output]


def assert_whole(events: Sequence[Json], response: Json) -> None:
    reader = Reader()
    for event in events:
        reader.read(event)
    assert reader.is_over
    assert contents(reader.output) == contents(response["output"])
    assert folded(events) == response
    assert events[-1]["response"] == response


slow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow
@given(request=requests, script=st.lists(turns(), min_size=1, max_size=4))
def test_the_object_is_the_fold_of_its_stream(request: Json, script: list[Turn]):
    story = ran(request, script)
    assert_whole(story.events, story.response)
    assert story.events[0]["type"] == "response.created"
    assert [event["type"] for event in story.events].count("response.in_progress") == 1


@slow
@given(request=requests, script=st.lists(turns(), min_size=1, max_size=3))
def test_every_event_and_the_object_are_as_the_reference_has_them(request: Json, script: list[Turn]):
    story = ran(request, script)
    for include in ([], ["message.output_text.logprobs", "reasoning.encrypted_content"]):
        showing = Showing(include)
        for event in story.events:
            check_answer("ResponseStreamEvent", showing.event(event))
        check_answer("AzureResponse", showing.response(story.response))


@slow
@given(request=requests, script=st.lists(turns(), min_size=1, max_size=3), rest=turns(), data=st.data())
def test_a_run_that_was_killed_anywhere_goes_on_to_one_whole_stream(
    request: Json, script: list[Turn], rest: Turn, data: st.DataObject
):
    request = {**request, "background": True}
    story = ran(request, script)
    before = story.events[: data.draw(st.integers(1, len(story.events) - 1))]
    again = ran(request, [rest], before)
    assert_whole([*before, *again.events], again.response)
    done = {event["output_index"]: event["item"] for event in before if event["type"] == "response.output_item.done"}
    assert {index: again.response["output"][index] for index in done} == done


@given(data=st.data(), script=st.lists(turns(), min_size=1, max_size=2))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_looking_at_a_fold_half_way_changes_nothing(data: st.DataObject, script: list[Turn]):
    events = ran({}, script).events
    looks = data.draw(st.sets(st.integers(0, len(events))))
    fold = ResponseFold()
    for number, event in enumerate(events):
        if number in looks:
            fold.response()
        fold.add(event)
    assert fold.response() == folded(events)
