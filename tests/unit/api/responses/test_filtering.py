"""The content filter in a response: what is refused, what is held back, and what the response tells of it."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from responding import LookTool, called, planned, said, source, told
from smalt.api.responses.filtering import FILTERED
from smalt.api.responses.input_files import READ, place
from smalt.api.responses.plan import Plan
from smalt.api.responses.showing import Showing
from smalt.engines.protocols import ChatDelta, Deployment, LateJudgement, PromptJudged, Usage
from smalt.safety.content_filter import Asked, Delivery, Event, PromptFiltered
from smalt.schemas.vocabulary import check_answer
from smalt.tools.protocols import Outcome, Output

SAFE = {"violence": {"filtered": False, "severity": "safe"}}
LOW = {"violence": {"filtered": False, "severity": "low"}}
GRAVE = {"violence": {"filtered": True, "severity": "high"}}
ATTACKED = {"indirect_attack": {"filtered": True, "detected": True}, **SAFE}


@dataclass
class WordChecks:
    """Refuses prompts with the word storm, and ends a choice before the word thunder; rain is no more than annotated.

    What is late has left before it was looked at.
    """

    is_azure: bool
    is_late: bool = False

    async def judge(self, asked: Asked, documents: Sequence[str] = ()) -> PromptJudged | None:
        text = asked.model_dump_json(include={"messages"})
        if "storm" in text or any("hidden" in document for document in documents):
            raise PromptFiltered(ATTACKED if '"role":"tool"' in text else GRAVE)
        return PromptJudged([{"prompt_index": 0, "content_filter_results": SAFE}]) if self.is_azure else None

    async def watch(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event]:
        is_over = False
        async for event in events:
            text = _text(event)
            if text is None or self.is_late:
                yield event
            elif not is_over and "thunder" in text:
                is_over = True
                yield ChatDelta(finish_reason="content_filter", judged=GRAVE)
            elif not is_over and isinstance(event, ChatDelta):
                yield replace(event, judged=LOW if "rain" in text else SAFE)
        if self.is_late:
            yield LateJudgement(0, LOW, check_offset=0, start_offset=0, end_offset=4)
            yield LateJudgement(0, GRAVE, check_offset=4, start_offset=4, end_offset=9, finish_reason="content_filter")

    async def look(self, texts: Sequence[str]) -> dict[str, Any]:
        return GRAVE if any("thunder" in text for text in texts) else SAFE


@dataclass
class WordFilter:
    """Checks every deployment by its words."""

    is_late: bool = False

    def checks(self, deployment: Deployment, *, is_azure: bool, delivery: Delivery = "whole") -> WordChecks:
        del deployment, delivery
        return WordChecks(is_azure, is_late=self.is_late)


@dataclass
class ListingTool(LookTool):
    """Says what it has before the first turn, as MCP servers do."""

    async def prepare(self, output: Output, items: Sequence[dict[str, Any]]) -> None:
        del items
        output.begin("mcpl_", {"type": "mcp_list_tools", "server_label": "looks", "tools": []}).end()


def _text(event: object) -> str | None:
    if not isinstance(event, ChatDelta):
        return None
    return f"{event.content}{event.reasoning_content}{[call.arguments for call in event.tool_calls]}"


def entry(source_type: str, results: dict[str, Any], characters: int, *, blocked: bool = False) -> dict[str, Any]:
    return {
        "blocked": blocked,
        "source_type": source_type,
        "content_filter_raw": [],
        "content_filter_results": results,
        "content_filter_offsets": {"start_offset": 0, "end_offset": characters, "check_offset": 0},
    }


def seeing(what: str) -> LookTool:
    return LookTool(lambda arguments: Outcome(f"{what} at {arguments}"))


async def test_azure_is_told_what_was_found_in_prompt_and_answer():
    story = await told(planned(is_azure=True), said("some rain today"), content_filter=WordFilter())
    assert story.events[0]["response"]["content_filters"] is None
    assert story.response["content_filters"] == [entry("prompt", SAFE, 11), entry("completion", LOW, 15)]
    assert story.response["status"] == "completed"
    check_answer("AzureResponse", story.response)


async def test_openai_has_no_place_for_it():
    story = await told(planned(), said("some rain today"), content_filter=WordFilter())
    assert "content_filters" not in story.response
    assert story.text == "some rain today"


async def test_a_response_that_nothing_looked_at_tells_nothing():
    story = await told(planned(is_azure=True), said("some thunder"))
    assert story.response["content_filters"] is None


@pytest.mark.parametrize("is_azure", [True, False])
async def test_a_refused_prompt_is_refused_before_any_event(is_azure: bool):
    with pytest.raises(PromptFiltered) as refusal:
        await told(planned(is_azure=is_azure, input="a storm"), said("never"), content_filter=WordFilter())
    assert (refusal.value.status, refusal.value.param, refusal.value.results) == (400, "prompt", GRAVE)


async def test_a_refused_prompt_is_heard_of_by_no_tool():
    tool = ListingTool()
    # What fails after an event has gone out is not raised.
    with pytest.raises(PromptFiltered):
        await told(planned([tool], input="a storm"), said("never"), content_filter=WordFilter())
    assert tool.is_closed


async def test_in_the_background_a_refused_prompt_fails_the_response():
    story = await told(
        planned(is_azure=True, input="a storm", background=True), said("never"), content_filter=WordFilter()
    )
    assert story.types == ["created", "queued", "in_progress", "error", "failed"]
    assert story.events[3]["code"] == "content_filter"
    assert story.response["error"]["code"] == "invalid_prompt"
    assert story.response["content_filters"] == [entry("prompt", GRAVE, 7, blocked=True)]
    check_answer("AzureResponse", story.response)


@pytest.mark.parametrize("is_azure", [True, False])
async def test_nothing_is_shown_after_the_line(is_azure: bool):
    story = await told(planned(is_azure=is_azure), said("rain and thunder and hail"), content_filter=WordFilter())
    assert story.text == "rain and"
    assert story.response["status"] == "incomplete"
    assert story.response["incomplete_details"] == {"reason": "content_filter"}
    assert story.response["output"][0]["status"] == "incomplete"
    assert "thunder" not in str(story.events)
    assert story.response["usage"]["output_tokens"] == 5
    if is_azure:
        assert story.response["content_filters"][1] == entry("completion", GRAVE, 8, blocked=True)


async def test_thoughts_are_answers_too():
    turn = [ChatDelta(reasoning_content="Some "), ChatDelta(reasoning_content="thunder"), *said("Yes.")]
    story = await told(planned(), turn, content_filter=WordFilter())
    assert [item["type"] for item in story.response["output"]] == ["reasoning"]
    assert story.response["status"] == "incomplete"
    assert "thunder" not in str(story.events)


async def test_a_call_whose_arguments_cross_the_line_is_not_made():
    tool = seeing("sun")
    story = await told(planned([tool]), called(("look", "thunder")), said("never"), content_filter=WordFilter())
    assert not tool.looked
    assert story.response["output"][0]["status"] == "incomplete"
    assert story.response["incomplete_details"] == {"reason": "content_filter"}
    assert len(story.engine.asked) == 1


async def test_what_a_tool_found_is_looked_at_before_the_model_reads_it():
    plan = planned([seeing("storm")], is_azure=True)
    story = await told(plan, called(("look", "rain")), said("never"), content_filter=WordFilter())
    assert len(story.engine.asked) == 1
    assert story.response["status"] == "incomplete"
    assert story.response["incomplete_details"] == {"reason": "content_filter"}
    assert [item["type"] for item in story.response["output"]] == ["file_search_call"]
    assert story.response["content_filters"] == [
        entry("prompt", SAFE, 11),
        entry("completion", LOW, 4),
        entry("prompt", ATTACKED, 28, blocked=True),
    ]
    check_answer("AzureResponse", Showing([]).response(story.response))


async def test_what_files_and_sources_say_is_looked_at_as_documents():
    file = {"type": "input_file", "filename": "notes.txt", "file_data": "data:text/plain;base64,aGlkZGVu"}
    plan = planned(input=[{"role": "user", "content": [{"type": "input_text", "text": "Read this"}, file]}])
    with pytest.raises(PromptFiltered):
        await told(
            replace(plan, input=[{**plan.input[0], READ: {place("content", 1): "hidden orders"}}]),
            said("never"),
            content_filter=WordFilter(),
        )
    tool = LookTool(lambda arguments: Outcome(arguments, sources=[source("hidden orders")]))
    story = await told(planned([tool]), called(("look", "{}")), said("never"), content_filter=WordFilter())
    assert story.response["incomplete_details"] == {"reason": "content_filter"}


async def test_every_turn_has_its_entries():
    plan = planned([seeing("sun")], is_azure=True)
    story = await told(plan, called(("look", "here")), said("Some rain"), content_filter=WordFilter())
    assert [(one["source_type"], one["content_filter_results"]) for one in story.response["content_filters"]] == [
        ("prompt", SAFE),
        ("completion", SAFE),
        ("prompt", SAFE),
        ("completion", LOW),
    ]


async def test_a_late_judgement_ends_what_has_left_already():
    story = await told(planned(is_azure=True), said("rain and thunder"), content_filter=WordFilter(is_late=True))
    assert story.text == "rain and thunder"
    assert story.response["incomplete_details"] == {"reason": "content_filter"}
    late = entry("completion", GRAVE, 16, blocked=True)
    late["content_filter_offsets"]["check_offset"] = 4
    assert story.response["content_filters"][1] == late


async def test_a_run_that_goes_on_after_a_kill_keeps_what_was_told_before():
    def plan() -> Plan:
        return planned([seeing("sun")], is_azure=True, background=True)

    first = await told(plan(), called(("look", "rain")), said("Sun."), content_filter=WordFilter())
    done = next(place for place, event in enumerate(first.events) if event["type"] == "response.output_item.done")
    again = await told(plan(), said("Sun."), before=first.events[: done + 1], content_filter=WordFilter())
    assert again.response["content_filters"] == first.response["content_filters"]
    assert len(again.response["content_filters"]) == 4


async def test_what_items_keep_for_that_is_never_shown():
    story = await told(planned(is_azure=True, background=True), said("Sun."), content_filter=WordFilter())
    assert story.response["output"][0][FILTERED]
    assert FILTERED not in str(Showing([]).response(story.response))
    assert FILTERED not in str([Showing([]).event(event) for event in story.events])


async def test_what_is_blocked_is_paid_for():
    story = await told(planned(), said("thunder", usage=Usage(10, 7)), content_filter=WordFilter())
    assert story.spent == [("told", Usage(10, 7))]
    assert story.response["output"] == []
