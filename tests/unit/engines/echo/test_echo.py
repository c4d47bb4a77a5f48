"""The echo says what it is told, the same every time."""

import json
import time
from typing import Any

import pytest

from smalt.core.errors import ContextLengthExceeded, EngineFailed, InvalidRequest
from smalt.engines.echo import EchoEngine
from smalt.engines.protocols import ChatDelta, CompletionDelta, Deployment, Usage
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

LOOK = {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}}
TOOLS = [{"type": "function", "function": LOOK}, {"type": "function", "function": {"name": "wait"}}]


def engine(**options: Any) -> EchoEngine:
    return EchoEngine(Deployment("echo", "echo", "echo", frozenset(), options=options))


def request(text: str, **fields: Any) -> AzureCreateChatCompletionRequest:
    body = {"model": "echo", "messages": [{"role": "user", "content": text}], **fields}
    return AzureCreateChatCompletionRequest.model_validate(body)


async def chat(text: str, *, options: dict[str, Any] | None = None, **fields: Any) -> tuple[list[ChatDelta], Usage]:
    events = [event async for event in engine(**options or {}).chat(request(text, **fields))]
    assert isinstance(events[-1], Usage)
    return [event for event in events if isinstance(event, ChatDelta)], events[-1]


async def complete(prompt: Any, **fields: Any) -> tuple[list[CompletionDelta], Usage]:
    body = CreateCompletionRequest.model_validate({"model": "echo", "prompt": prompt, **fields})
    events = [event async for event in engine().complete(body)]
    assert isinstance(events[-1], Usage)
    return [event for event in events if isinstance(event, CompletionDelta)], events[-1]


def text_of(deltas: list[ChatDelta]) -> str:
    return "".join(delta.content or "" for delta in deltas)


def calls_of(deltas: list[ChatDelta]) -> dict[int, tuple[str, str]]:
    calls: dict[int, tuple[str, str]] = {}
    for call in (call for delta in deltas for call in delta.tool_calls):
        name, arguments = calls.get(call.index, (call.name or "", ""))
        calls[call.index] = name, arguments + call.arguments
    return calls


async def test_it_says_the_last_message_a_word_at_a_time():
    deltas, usage = await chat("To be,  or\nnot")
    assert [delta.content for delta in deltas] == ["To", " be,", "  or", "\nnot", None]
    assert deltas[-1].finish_reason == "stop"
    assert usage == Usage(4, 4)


async def test_the_last_result_of_a_tool_is_said_too():
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "the sea"}]},
    ]
    deltas, _ = await chat("", messages=messages, tools=TOOLS)
    assert text_of(deltas) == "the sea"


@pytest.mark.parametrize(("most", "reason"), [(2, "length"), (3, "stop"), (9, "stop")])
async def test_a_limit_counts_words(most: int, reason: str):
    deltas, usage = await chat("one two three", max_completion_tokens=most)
    assert deltas[-1].finish_reason == reason
    assert usage.completion_tokens == min(most, 3)


async def test_it_stops_before_the_first_stop_sequence():
    deltas, _ = await chat("one two three", stop=["three", " tw"])
    assert text_of(deltas) == "one"
    assert deltas[-1].finish_reason == "stop"


async def test_it_calls_a_tool_only_when_it_is_asked_to_or_must():
    assert not calls_of((await chat("look at it", tools=TOOLS))[0])
    assert calls_of((await chat('call look {"at": "sea"}', tools=TOOLS))[0]) == {0: ("look", '{"at": "sea"}')}
    assert calls_of((await chat("hello", tools=TOOLS, tool_choice="required"))[0]) == {0: ("look", '{"at":""}')}
    named = {"type": "function", "function": {"name": "wait"}}
    assert calls_of((await chat("hello", tools=TOOLS, tool_choice=named))[0]) == {0: ("wait", "{}")}
    assert not calls_of((await chat("call look", tools=TOOLS, tool_choice="none"))[0])
    assert not calls_of((await chat("call nothing", tools=TOOLS))[0])


async def test_it_calls_several_tools_a_line_each_unless_only_one_is_allowed():
    text = "call look\ncall wait"
    assert calls_of((await chat(text, tools=TOOLS))[0]) == {0: ("look", '{"at":""}'), 1: ("wait", "{}")}
    assert calls_of((await chat(text, tools=TOOLS, parallel_tool_calls=False))[0]) == {0: ("look", '{"at":""}')}


async def test_it_gives_json_of_the_form_that_is_asked_for():
    form = {"type": "json_schema", "json_schema": {"name": "look", "schema": LOOK["parameters"]}}
    assert json.loads(text_of((await chat("hello", response_format=form))[0])) == {"at": ""}
    assert json.loads(text_of((await chat("hi", response_format={"type": "json_object"}))[0])) == {"echo": "hi"}


async def test_it_thinks_only_when_effort_is_asked_for():
    deltas, usage = await chat("hi", reasoning_effort="low")
    assert deltas[0].reasoning_content == "The"
    assert usage.reasoning_tokens == usage.completion_tokens - 1
    assert (await chat("hi", reasoning_effort="none"))[1].reasoning_tokens == 0


async def test_it_counts_which_predicted_words_came_true():
    _, usage = await chat("one two three", prediction={"type": "content", "content": "one two four five"})
    assert (usage.accepted_prediction_tokens, usage.rejected_prediction_tokens) == (2, 2)


async def test_it_is_certain_of_every_word():
    deltas, _ = await chat("hé", logprobs=True, top_logprobs=3)
    (entry,) = deltas[0].logprobs or ()
    assert (entry.token, entry.logprob, entry.bytes) == ("hé", 0.0, (104, 195, 169))
    assert [top.token for top in entry.top] == ["hé"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
    ],
)
async def test_what_it_cannot_honour_is_refused_by_name(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        await chat("hi", **fields)
    assert refusal.value.param == param


async def test_pictures_and_sounds_are_refused_by_their_place():
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "see"}, part]}]
    with pytest.raises(InvalidRequest) as refusal:
        await chat("", messages=messages)
    assert refusal.value.param == "messages[0].content[1]"


async def test_options_set_the_length_the_pace_the_context_and_the_failure():
    assert (await chat("a b", options={"tokens": 5}))[1].completion_tokens == 5
    began = time.perf_counter()
    await chat("a b c", options={"delay_seconds": 0.02})
    assert time.perf_counter() - began >= 0.08
    with pytest.raises(ContextLengthExceeded, match="maximum context length is 3 tokens"):
        await chat("a b c", options={"context": 3})
    assert (await chat("a b c", options={"context": 5}))[1].completion_tokens == 2
    answer = engine(fail_after=1).chat(request("a b"))
    assert [await anext(answer) for _ in range(2)][1] == ChatDelta(content="a")
    with pytest.raises(EngineFailed, match="fail_after"):
        await anext(answer)


def test_a_slip_in_the_options_is_told_by_name():
    with pytest.raises(InvalidRequest, match="tokenz"):
        engine(tokenz=3)


async def test_prompts_may_be_texts_or_token_ids():
    for prompt, texts in (("a b", ["a b"]), (["a", "b"], ["a", "b"]), ([1, 2], [" 1 2"]), ([[1], [2]], [" 1", " 2"])):
        deltas, _ = await complete(prompt)
        told = {place: "".join(delta.text for delta in deltas if delta.choice == place) for place in range(len(texts))}
        assert list(told.values()) == texts


async def test_an_echoed_prompt_costs_nothing_and_has_no_first_probability():
    deltas, usage = await complete("a b", echo=True, logprobs=1, max_tokens=1)
    assert "".join(delta.text for delta in deltas) == "a ba"
    assert usage == Usage(2, 1)
    first = (deltas[0].logprobs or ())[0]
    assert first.logprob != first.logprob, "not a number"
    assert deltas[-1].finish_reason == "length"


async def test_a_suffix_is_refused():
    with pytest.raises(InvalidRequest, match="suffix"):
        await complete("a", suffix="b")


async def test_the_same_text_has_the_same_vector_and_another_one_has_not():
    vectors = await engine(dimensions=8).embed(["a", "b", "a"])
    rows = [vectors.rows[start : start + 32] for start in range(0, 96, 32)]
    assert rows[0] == rows[2] != rows[1]
    with pytest.raises(EngineFailed):
        await engine(fail_after=0).embed(["a"])
