"""An asynchronous filter lets everything pass and tells later."""

import asyncio
from contextlib import aclosing

import pytest

from smalt.core.errors import Unavailable
from smalt.engines.protocols import ChatDelta, CompletionDelta, LateJudgement, Usage
from smalt.safety.asynchronous import WINDOW, passed_on

SAFE = {"hate": {"filtered": False, "severity": "safe"}}
BLOCKED = {"hate": {"filtered": True, "severity": "high"}}


async def look(stretch):
    texts = stretch.transcript.add(stretch.deltas)
    await asyncio.sleep(0)
    if not texts:
        return None
    return BLOCKED if any("banana" in text for text in texts) else SAFE


async def events_of(items):
    for item in items:
        yield item
        for _ in range(5):
            await asyncio.sleep(0)


async def passed(items, *, tells=True, choices=1):
    return [event async for event in passed_on(events_of(items), look, choices=choices, tells=tells)]


async def test_the_judgement_comes_after_the_text_and_before_the_usage():
    items = [ChatDelta(), ChatDelta(content="one"), ChatDelta(content=" two"), ChatDelta(finish_reason="stop")]
    events = await passed([*items, Usage(1, 2)])
    assert events == [*items, LateJudgement(0, SAFE, 0, 0, 7), Usage(1, 2)]


async def test_a_long_answer_is_judged_on_the_way():
    items = [ChatDelta(content="word " * 10) for _ in range(50)]
    events = await passed([*items, ChatDelta(finish_reason="stop")])
    late = [one for one in events if isinstance(one, LateJudgement)]
    assert [(one.start_offset, one.end_offset) for one in late] == [(0, WINDOW), (WINDOW, 2 * WINDOW), (2000, 2500)]
    assert events.index(late[0]) < events.index(late[1]) < len(events) - 2


async def test_a_choice_ends_as_soon_as_it_is_known():
    items = [ChatDelta(content="a banana " * 10) for _ in range(100)]
    events = await passed([*items, ChatDelta(finish_reason="stop"), Usage(1, 2)])
    *text, late = events
    assert (late.results, late.finish_reason, late.end_offset) == (BLOCKED, "content_filter", 1080)
    assert len(text) < 20


async def test_an_engine_is_read_on_for_choices_that_are_still_wanted():
    grave = [ChatDelta(0, content="a banana " * 10) for _ in range(20)]
    fine = [ChatDelta(1, content="a pear " * 10) for _ in range(20)]
    ends = [ChatDelta(choice, finish_reason="stop") for choice in (0, 1)]
    events = await passed([*grave, *fine, *ends, Usage(1, 2)], choices=2)
    assert "".join(one.content or "" for one in events if isinstance(one, ChatDelta) and one.choice) == "a pear " * 200
    assert events[-1] == Usage(1, 2)


async def test_it_is_told_of_when_the_choice_has_ended_by_itself():
    events = await passed([CompletionDelta(text="banana"), CompletionDelta(finish_reason="stop")])
    assert events[-1] == LateJudgement(0, BLOCKED, 0, 0, 6, finish_reason="content_filter")
    assert events[-2].finish_reason == "stop"


async def test_where_results_have_no_place_a_choice_just_ends():
    items = [ChatDelta(content="a banana " * 10) for _ in range(100)]
    events = await passed([*items, ChatDelta(finish_reason="stop")], tells=False)
    assert events[-1] == ChatDelta(finish_reason="content_filter", judged=BLOCKED)
    events = await passed([ChatDelta(content="banana"), ChatDelta(finish_reason="stop")], tells=False)
    assert [one.finish_reason for one in events] == [None, "stop", "content_filter"]
    assert events[-1] == LateJudgement(0, BLOCKED, 0, 0, 6, finish_reason="content_filter")
    assert len(await passed([ChatDelta(content="pear"), ChatDelta(finish_reason="stop")], tells=False)) == 2


async def test_choices_are_separate():
    items = [ChatDelta(0, content="banana"), ChatDelta(1, content="pear")]
    events = await passed([*items, *(ChatDelta(choice, finish_reason="stop") for choice in (0, 1))])
    late = {one.choice: one.results for one in events if isinstance(one, LateJudgement)}
    assert late == {0: BLOCKED, 1: SAFE}


async def test_closing_early_stops_looking():
    is_stopped = asyncio.Event()

    async def forever(stretch):
        del stretch
        try:
            await asyncio.Event().wait()
        finally:
            is_stopped.set()

    items = events_of([ChatDelta(content="word", finish_reason="stop"), ChatDelta(1), ChatDelta(1)])
    async with aclosing(items), aclosing(passed_on(items, forever, tells=True)) as events:
        await anext(events)
        await anext(events)
    assert is_stopped.is_set()


async def test_a_filter_that_cannot_judge_and_must_ends_the_stream():
    async def broken(stretch):
        del stretch
        raise Unavailable("no model")

    items = events_of([ChatDelta(content="word"), ChatDelta(finish_reason="stop")])
    with pytest.raises(Unavailable):
        [one async for one in passed_on(items, broken, tells=True)]
