"""Nothing leaves before it was looked at."""

import asyncio
import re
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smalt.core.errors import EngineFailed
from smalt.engines.protocols import (
    ChatDelta,
    CompletionDelta,
    Serving,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from smalt.safety.streaming import STREAMED, WHOLE, held_back
from smalt.safety.transcripts import last_border

SAFE = {"hate": {"filtered": False, "severity": "safe"}}
BLOCKED = {"hate": {"filtered": True, "severity": "high"}}


class Looking:
    """Blocks what has the words `red banana`; remembers what it was shown."""

    def __init__(self):
        self.shown = []

    async def __call__(self, stretch):
        texts = stretch.transcript.add(stretch.deltas)
        self.shown.append(texts)
        await asyncio.sleep(0)
        if not texts:
            return None
        return BLOCKED if any(re.search(r"\bred banana\b", text) for text in texts) else SAFE


async def events_of(items):
    for item in items:
        await asyncio.sleep(0)
        yield item


async def passed(items, look=None, **fields):
    return [event async for event in held_back(events_of(items), look or Looking(), **fields)]


def pieces(text, size=3, choice=0):
    return [ChatDelta(choice, content=text[start : start + size]) for start in range(0, len(text), size)]


def content(events, choice=0):
    return "".join(one.content or "" for one in events if isinstance(one, ChatDelta) and one.choice == choice)


LONG = "It was a long day in the garden, and nobody had seen any fruit at all. " * 12


async def test_a_safe_answer_is_passed_on_whole_and_in_order():
    items = [Serving("model"), ChatDelta(), *pieces(LONG), ChatDelta(finish_reason="stop"), Usage(3, 4)]
    events = await passed(items)
    unjudged = [
        ChatDelta(one.choice, one.content, finish_reason=one.finish_reason) if isinstance(one, ChatDelta) else one
        for one in events
    ]
    assert unjudged == items
    judged = [one for one in events if isinstance(one, ChatDelta) and one.judged]
    assert all(one.judged == SAFE and one.content for one in judged)
    assert 3 <= len(judged) <= 3 + len(LONG) // (STREAMED.longest // 2)


async def test_the_first_stretch_is_short_and_words_are_whole_in_every_stretch():
    look = Looking()
    await passed([*pieces(LONG), ChatDelta(finish_reason="stop")], look)
    assert STREAMED.first - 10 <= len(look.shown[0][0]) <= STREAMED.first + 10
    for (shown,) in look.shown[:-1]:
        assert LONG[LONG.index(shown[:40]) + len(shown) :][:1] in {" ", ".", ","} or shown[-1] in " .,"


@pytest.mark.parametrize("start", [0, 40, 57, 60, 120, 177, 300, 700])
@pytest.mark.parametrize("size", [1, 4, 1000])
async def test_what_crosses_the_line_never_leaves_wherever_it_stands(start, size):
    text = f"{LONG[:start]} red banana {LONG[start:]}"
    events = await passed([*pieces(text, size), ChatDelta(finish_reason="stop"), Usage(3, 4)])
    assert "banana" not in content(events)
    assert text.startswith(content(events))
    *_, end = (one for one in events if one != Usage(3, 4))
    assert (end.finish_reason, end.judged, end.content) == ("content_filter", BLOCKED, None)
    assert sum(one.finish_reason is not None for one in events if isinstance(one, ChatDelta)) == 1


WORDS = st.lists(st.sampled_from(["red", "banana", "red banana", "a", "green", "tree,", "x" * 50, "\n"]), max_size=60)


@settings(max_examples=60, deadline=None)
@given(words=WORDS, cuts=st.lists(st.integers(1, 40), min_size=1))
def test_any_answer_is_passed_on_up_to_the_line_or_whole(words, cuts):
    text = " ".join(words)
    deltas, start = [], 0
    while start < len(text):
        size = cuts[len(deltas) % len(cuts)]
        deltas.append(ChatDelta(content=text[start : start + size]))
        start += size
    events = asyncio.run(passed([*deltas, ChatDelta(finish_reason="stop")]))
    if "red banana" in text:
        assert "red banana" not in content(events)
        assert text.startswith(content(events))
        assert events[-1].finish_reason == "content_filter"
    else:
        assert content(events) == text
        assert events[-1].finish_reason == "stop"


async def test_a_choice_that_is_stopped_does_not_stop_the_others():
    first = pieces("a red banana " + LONG, choice=0)
    second = pieces("a green pear. " + LONG, choice=1)
    mixed = [one for pair in zip(first, second, strict=False) for one in pair]
    ends = (ChatDelta(choice, finish_reason="stop") for choice in (0, 1))
    events = await passed([*mixed, *ends, Usage(1, 2)], choices=2)
    assert content(events, 0) == ""
    assert content(events, 1) == "".join(one.content for one in second[: len(first)])
    reasons = {one.choice: one.finish_reason for one in events if isinstance(one, ChatDelta) and one.finish_reason}
    assert reasons == {0: "content_filter", 1: "stop"}


@pytest.mark.parametrize(
    "make",
    [
        lambda text: ChatDelta(refusal=text),
        lambda text: ChatDelta(reasoning_content=text),
        lambda text: ChatDelta(tool_calls=(ToolCallDelta(0, arguments=text),)),
        lambda text: CompletionDelta(text=text),
    ],
)
async def test_everything_that_is_said_counts(make):
    kind = type(make(""))
    events = await passed([make(word) for word in ("a ", "red ", "ban", "ana")] + [kind(finish_reason="stop")])
    assert events == [kind(finish_reason="content_filter", judged=BLOCKED)]


async def test_parts_of_an_answer_are_not_read_together():
    items = [ChatDelta(reasoning_content="it is red"), ChatDelta(content=" banana"), ChatDelta(finish_reason="stop")]
    assert content(await passed(items)) == " banana"


async def test_log_probabilities_stay_with_their_text():
    logprobs = (TokenLogprob("a", -0.1, None),)
    (first, _) = await passed([ChatDelta(content="a", logprobs=logprobs), ChatDelta(finish_reason="stop")])
    assert (first.content, first.logprobs, first.judged) == ("a", logprobs, SAFE)


class Saying:
    """Says the same words for ever in some choices; remembers whether it was closed."""

    def __init__(self, *texts):
        self.texts = texts
        self.is_closed = False

    async def events(self):
        try:
            while True:
                for choice, text in enumerate(self.texts):
                    await asyncio.sleep(0)
                    yield ChatDelta(choice, content=text)
        finally:
            self.is_closed = True


async def test_an_engine_is_not_read_on_when_all_its_choices_are_blocked():
    engine = Saying("a red banana, ", "no fruit. " * 9 + "a red banana, ")
    async with aclosing(engine.events()) as said:
        events = [event async for event in held_back(said, Looking(), choices=2)]
    assert [one.finish_reason for one in events if one.finish_reason] == ["content_filter"] * 2
    assert engine.is_closed


async def test_an_engine_is_read_on_for_a_choice_that_has_not_begun():
    late = [ChatDelta(1, content="a green pear"), ChatDelta(1, finish_reason="stop")]
    events = await passed([*pieces("a red banana. " * 9), *late, ChatDelta(0, finish_reason="stop")], choices=2)
    assert content(events, 1) == "a green pear"


async def test_a_blocked_choice_that_ends_by_itself_is_read_to_its_usage():
    events = await passed([ChatDelta(content="a red banana", finish_reason="stop"), Usage(3, 4)])
    assert events == [ChatDelta(finish_reason="content_filter", judged=BLOCKED), Usage(3, 4)]


async def test_an_answer_that_nobody_reads_along_is_looked_at_once():
    look = Looking()
    events = await passed([*pieces(LONG), ChatDelta(finish_reason="stop"), Usage(3, 4)], look, pace=WHOLE)
    assert look.shown == [[LONG]]
    assert content(events) == LONG
    assert [one.judged for one in events if isinstance(one, ChatDelta) and one.judged] == [SAFE]


async def test_an_answer_that_is_very_long_is_looked_at_in_big_stretches():
    look = Looking()
    text = LONG * 25
    events = await passed([*pieces(text, 30), ChatDelta(finish_reason="stop")], look, pace=WHOLE)
    assert content(events) == text
    assert len(look.shown) == 1 + len(text) // WHOLE.longest
    assert max(len(shown) for (shown,) in look.shown) < WHOLE.longest + 400
    events = await passed([*pieces(f"{text} red banana {text}", 30), ChatDelta(finish_reason="stop")], pace=WHOLE)
    assert "banana" not in content(events)
    assert events[-1].finish_reason == "content_filter"


async def test_a_slow_answer_that_nobody_reads_along_waits():
    async def slow():
        yield ChatDelta(content="a red")
        await asyncio.sleep(2 * STREAMED.held_seconds)
        yield ChatDelta(content=" banana", finish_reason="stop")

    look = Looking()
    events = [event async for event in held_back(slow(), look, pace=WHOLE)]
    assert look.shown == [["a red banana"]]
    assert [one.finish_reason for one in events] == ["content_filter"]


async def test_a_slow_answer_is_not_held_for_ever():
    go_on = asyncio.Event()

    async def slow():
        yield ChatDelta(content="one two")
        yield ChatDelta(content=" thr")
        await go_on.wait()
        yield ChatDelta(content="ee")
        yield ChatDelta(finish_reason="stop")

    async with aclosing(held_back(slow(), Looking())) as events:
        first = await anext(events)
        assert (first.content, first.judged) == ("one two", SAFE)
        go_on.set()
        assert [one.content async for one in events] == [" thr", "ee", None]


async def test_an_answer_that_just_stops_is_looked_at_too():
    assert content(await passed([*pieces("one two")])) == "one two"
    assert content(await passed([*pieces("red banana")])) == ""


async def test_what_an_engine_raises_is_raised():
    async def broken():
        yield ChatDelta(content="one two three")
        raise EngineFailed("it broke")

    with pytest.raises(EngineFailed, match="it broke"):
        [one async for one in held_back(broken(), Looking())]


async def test_closing_early_stops_the_engine():
    is_closed = asyncio.Event()

    async def endless():
        try:
            while True:
                await asyncio.sleep(0)
                yield ChatDelta(content="one two three ")
        finally:
            is_closed.set()

    engine = endless()
    async with aclosing(engine), aclosing(held_back(engine, Looking())) as events:
        await anext(events)
    assert is_closed.is_set()


def test_a_border_is_where_no_word_goes_on():
    assert last_border([ChatDelta(content=text) for text in ("one", " tw", "o", " thr")]) == 3
    assert last_border([ChatDelta(content=text) for text in ("on", "e")]) == 0
    assert last_border([ChatDelta(content="one. ")]) == 1
    assert last_border([ChatDelta(content="香"), ChatDelta(content="蕉")]) == 2
