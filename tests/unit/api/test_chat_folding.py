"""A stream and a whole answer can never disagree, whatever an engine sends."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from smalt.api.chat.chunks import ChunkStamper, ChunkStyle
from smalt.api.chat.folding import ChatFold
from smalt.api.generation import folded, spelled
from smalt.engines.protocols import ChatDelta, ChatEvent, FinishReason, Serving, TokenLogprob, ToolCallDelta, Usage
from smalt.schemas.vocabulary import check_answer

TEXT = st.text(max_size=6)
REASONS: list[FinishReason] = ["stop", "length", "tool_calls", "content_filter"]


@st.composite
def word(draw: st.DrawFn, choice: int) -> ChatDelta:
    content = draw(TEXT)
    scored = draw(st.booleans())
    entry = TokenLogprob(content, -1.5, tuple(content.encode()))
    return ChatDelta(choice, content, logprobs=(entry,) if scored else None)


@st.composite
def calls(draw: st.DrawFn, choice: int) -> list[ChatDelta]:
    pieces: list[ChatDelta] = []
    for index in range(draw(st.integers(0, 2))):
        pieces.append(
            ChatDelta(choice, tool_calls=(ToolCallDelta(index, draw(TEXT), f"call_{index}", f"tool{index}"),))
        )
        more = draw(st.lists(TEXT, max_size=3))
        pieces += [ChatDelta(choice, tool_calls=(ToolCallDelta(index, arguments),)) for arguments in more]
    return pieces


@st.composite
def script(draw: st.DrawFn, choice: int) -> list[ChatDelta]:
    """Everything that one choice says, in order."""
    thoughts = [ChatDelta(choice, reasoning_content=text) for text in draw(st.lists(TEXT, max_size=2))]
    words = draw(st.lists(word(choice), max_size=4))
    reason = draw(st.sampled_from(REASONS))
    return [*thoughts, *words, *draw(calls(choice)), ChatDelta(choice, finish_reason=reason)]


@st.composite
def events(draw: st.DrawFn) -> list[ChatEvent]:
    """An answer of several choices that come in turns, as an engine sends it."""
    scripts = [draw(script(choice)) for choice in range(draw(st.integers(1, 3)))]
    mixed: list[ChatEvent] = [Serving("real", draw(st.none() | st.just("fp_1")))]
    while any(scripts):
        ready = [one for one in scripts if one]
        mixed.append(draw(st.sampled_from(ready)).pop(0))
    return [*mixed, Usage(draw(st.integers(0, 9)), draw(st.integers(0, 9)))]


def chunks_of(told: list[ChatEvent], **style: Any) -> list[dict[str, Any]]:
    stamper = ChunkStamper(ChunkStyle(model="m", has_usage=True, **style))
    return [chunk for event in told for chunk in stamper.stamp(event)] + stamper.finish()


async def streamed(chunks: list[dict[str, Any]]) -> AsyncGenerator[dict[str, Any]]:
    for chunk in chunks:
        yield chunk


def expected(told: list[ChatEvent]) -> dict[int, dict[str, Any]]:
    """What each choice should say, put together from the events by another road."""
    choices: dict[int, dict[str, Any]] = defaultdict(lambda: {"content": "", "thoughts": "", "calls": {}, "tokens": []})
    for event in told:
        if isinstance(event, ChatDelta):
            choice = choices[event.choice]
            choice["content"] += event.content or ""
            choice["thoughts"] += event.reasoning_content or ""
            choice["tokens"] += [entry.token for entry in event.logprobs or ()]
            choice["reason"] = event.finish_reason
            for call in event.tool_calls:
                name, arguments = choice["calls"].get(call.index, (call.name, ""))
                choice["calls"][call.index] = (name, arguments + call.arguments)
    return choices


@given(events())
def test_the_whole_answer_says_what_the_events_said(told: list[ChatEvent]):
    answer = asyncio.run(folded(streamed(chunks_of(told)), ChatFold()))
    check_answer("AzureCreateChatCompletionResponse", answer)
    for choice in answer["choices"]:
        wanted = expected(told)[choice["index"]]
        message = choice["message"]
        assert (message["content"] or "") == wanted["content"]
        assert message.get("reasoning_content", "") == wanted["thoughts"]
        assert choice["finish_reason"] == wanted["reason"]
        functions = [call["function"] for call in message.get("tool_calls", [])]
        assert [(one["name"], one["arguments"]) for one in functions] == list(wanted["calls"].values())
        assert [entry["token"] for entry in (choice["logprobs"] or {}).get("content") or []] == wanted["tokens"]


@given(events())
def test_what_is_read_from_the_wire_folds_to_the_same_answer(told: list[ChatEvent]):
    chunks = chunks_of(told)

    async def wire() -> list[bytes]:
        return [event async for event in spelled(streamed(chunks))]

    *sent, done = asyncio.run(wire())
    assert done == b"data: [DONE]\n\n"
    fold = ChatFold()
    for event in sent:
        fold.add(orjson.loads(event.removeprefix(b"data: ")))
    whole = asyncio.run(folded(streamed(chunks), ChatFold()))
    assert fold.answer() == orjson.loads(orjson.dumps(whole))


@given(events())
def test_the_sdk_reads_the_same_answer_from_the_stream(told: list[ChatEvent]):
    chunks = chunks_of(told)
    state = ChatCompletionStreamState()
    for chunk in orjson.loads(orjson.dumps(chunks)):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    seen = state.current_completion_snapshot.model_dump()
    answer = asyncio.run(folded(streamed(chunks), ChatFold()))
    assert seen["usage"]["total_tokens"] == answer["usage"]["total_tokens"]
    for one, other in zip(sorted(seen["choices"], key=lambda choice: choice["index"]), answer["choices"], strict=True):
        assert one["finish_reason"] == other["finish_reason"]
        assert (one["message"]["content"] or "") == (other["message"]["content"] or "")
        calls_seen = [call["function"]["arguments"] for call in one["message"]["tool_calls"] or []]
        assert calls_seen == [call["function"]["arguments"] for call in other["message"].get("tool_calls", [])]
