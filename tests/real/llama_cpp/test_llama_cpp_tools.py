"""Tools with the real small model: forced calls fit their schemas, free ones are found in what the model says."""

import json

import pytest

from smalt.core.errors import InvalidRequest

pytestmark = pytest.mark.real


def tool(name, parameters, description="A function."):
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


WEATHER = tool(
    "get_weather",
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
    "The weather in a city.",
)
ADD = tool(
    "add",
    {
        "$defs": {"number": {"type": "integer", "minimum": 0, "maximum": 99}},
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/number"}, "b": {"$ref": "#/$defs/number"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
)
NOW = {"type": "function", "function": {"name": "now"}}
SCHEMAS = {"get_weather": {"city", "unit"}, "add": {"a", "b"}, "now": set()}


def assert_valid(call):
    arguments = json.loads(call["arguments"])
    assert set(arguments) == SCHEMAS[call["name"]]
    assert call["id"].startswith("call_")
    if call["name"] == "get_weather":
        assert len(arguments["city"]) <= 12
        assert arguments["unit"] in ("celsius", "fahrenheit")
    if call["name"] == "add":
        assert all(0 <= arguments[name] <= 99 for name in "ab")


async def test_a_named_function_is_called_with_valid_arguments(engine, ask):
    answer = await ask(
        engine,
        messages="What is the weather in Paris?",
        tools=[WEATHER, ADD],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=60,
        temperature=1.5,
    )
    assert list(answer.calls[0]) == [0]
    assert answer.calls[0][0]["name"] == "get_weather"
    assert_valid(answer.calls[0][0])
    assert answer.finish == {0: "stop"}
    assert not answer.content[0]


async def test_arguments_come_in_pieces_behind_the_name(engine, ask):
    answer = await ask(
        engine,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=60,
    )
    calls = [call for delta in answer.deltas for call in delta.tool_calls]
    assert calls[0].name == "get_weather"
    assert calls[0].id
    assert all(call.name is None and call.id is None for call in calls[1:])
    assert len(calls) > 3


async def test_a_function_without_parameters_is_called_without_arguments(engine, ask):
    answer = await ask(
        engine, tools=[NOW, ADD], tool_choice={"type": "function", "function": {"name": "now"}}, max_tokens=10
    )
    assert answer.calls[0][0]["arguments"] == "{}"


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_required_call_is_one_of_the_offered(engine, ask, seed):
    answer = await ask(
        engine, tools=[WEATHER, ADD, NOW], tool_choice="required", max_tokens=60, temperature=1.5, seed=seed
    )
    assert list(answer.calls[0]) == [0]
    assert_valid(answer.calls[0][0])
    assert answer.finish == {0: "tool_calls"}


async def test_parallel_calls_are_valid_one_by_one(engine, ask):
    answer = await ask(
        engine,
        messages="Add 1 and 2, and add 3 and 4.",
        tools=[ADD, NOW],
        tool_choice="required",
        parallel_tool_calls=True,
        max_tokens=90,
        temperature=0,
    )
    calls = list(answer.calls[0].values())
    whole = calls if answer.finish[0] == "tool_calls" else calls[:-1]
    for call in whole:
        assert_valid(call)
    assert len({call["id"] for call in calls}) == len(calls)
    assert not answer.content[0]


async def test_a_free_answer_is_text_or_valid_calls(engine, ask):
    answer = await ask(engine, messages="What is the weather in Oslo?", tools=[WEATHER], max_tokens=30, seed=5)
    assert "<tool_call>" not in answer.content[0]
    for call in answer.calls.get(0, {}).values():
        assert call["name"] == "get_weather"
    assert answer.content[0] or answer.calls


async def test_a_call_that_the_model_begins_is_held_to_its_schema(engine, body):
    # The small model rarely calls by itself, so its first words are put into its mouth.
    from dataclasses import replace

    from smalt.engines.llama_cpp import chat
    from smalt.engines.llama_cpp.chat_plan import plan_chat
    from smalt.engines.protocols import ChatDelta

    planned = plan_chat(
        body(messages="Weather?", tools=[WEATHER], seed=2, max_tokens=60, parallel_tool_calls=False),
        engine._worker.facts,
    )
    begun = replace(
        planned,
        prefix="Let me see.\n<tool_",
        grammar=planned.grammar.replace("/(?s:.*)<tool_call>/", "/call>/").replace("begin: answer | ", "begin: "),
    )
    deltas = [delta async for delta in chat.answer(engine._worker, begun) if isinstance(delta, ChatDelta)]
    arguments = "".join(call.arguments for delta in deltas for call in delta.tool_calls)
    assert set(json.loads(arguments)) == {"city", "unit"}
    assert "".join(delta.content or "" for delta in deltas) == ""
    assert deltas[-1].finish_reason == "tool_calls"


async def test_no_tool_is_called_when_none_may_be(engine, ask):
    answer = await ask(engine, tools=[WEATHER], tool_choice="none", max_tokens=8)
    assert not answer.calls
    assert answer.content[0]


async def test_a_tool_result_leads_to_an_answer(engine, ask):
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    answer = await ask(
        engine,
        messages=[
            {"role": "user", "content": "What is the weather in Paris?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees and sunny"},
        ],
        tools=[WEATHER],
        max_tokens=60,
        temperature=0,
    )
    assert "18" in answer.content[0] or "sunny" in answer.content[0]
    assert "<tool" not in answer.content[0]
    assert answer.finish == {0: "stop"}


async def test_an_answer_beside_tools_ends_by_itself(engine, ask):
    answer = await ask(engine, messages="What is the capital of France?", tools=[WEATHER], max_tokens=60, temperature=0)
    assert answer.content[0] == "The capital of France is Paris."
    assert answer.finish == {0: "stop"}


async def test_parameters_that_cannot_be_held_are_refused_by_name(engine, ask):
    picky = tool("pick", {"type": "object", "properties": {"a": {"type": "string", "pattern": "a(?!b)"}}})
    with pytest.raises(InvalidRequest, match=r"Invalid schema for function 'pick': 'properties\.a'") as caught:
        await ask(engine, tools=[ADD, picky], tool_choice="required")
    assert caught.value.param == "tools[1].function.parameters"
    assert caught.value.code == "invalid_function_parameters"


async def test_a_free_answer_takes_parameters_as_far_as_they_can_be_held(engine, ask):
    picky = tool("pick", {"type": "object", "properties": {"a": {"type": "string", "pattern": "a(?!b)"}}})
    answer = await ask(engine, messages="What is the capital of France?", tools=[picky], max_tokens=3, temperature=0)
    assert answer.finish == {0: "length"}
    assert answer.usage.completion_tokens == 3


async def test_a_template_with_tools_and_thoughts_is_used(tool_engine, ask):
    facts = tool_engine._worker.facts
    assert facts.has_tool_template
    assert facts.has_tagged_tool_calls
    assert facts.thinking == "switch"
    answer = await ask(tool_engine, messages="Add 1 and 2.", tools=[ADD], tool_choice="required", max_tokens=40)
    assert_valid(answer.calls[0][0])


async def test_thoughts_are_told_apart_and_counted(tool_engine, ask):
    answer = await ask(tool_engine, reasoning_effort="high", max_tokens=12, temperature=0)
    assert answer.thoughts[0]
    assert not answer.content[0]
    assert answer.usage.reasoning_tokens == answer.usage.completion_tokens


async def test_little_effort_thinks_little_and_then_answers(tool_engine, ask):
    answer = await ask(tool_engine, reasoning_effort="minimal", max_tokens=160, seed=4)
    assert 0 < len(answer.thoughts[0]) <= 256
    if answer.finish[0] == "length":
        assert answer.usage.reasoning_tokens < 160
        assert answer.content[0]


async def test_no_effort_answers_at_once(tool_engine, ask):
    answer = await ask(tool_engine, reasoning_effort="none", max_tokens=6)
    assert not answer.thoughts[0]
    assert answer.content[0]
    assert answer.usage.reasoning_tokens == 0


@pytest.mark.parametrize("fields", [{}, {"tools": [ADD]}, {"n": 2}])
async def test_a_template_of_its_own_kind_is_left_to_llama_cpp(tool_engine, ask, fields):
    from dataclasses import replace

    worker = tool_engine._worker
    tool_engine._worker = replace(
        worker, facts=replace(worker.facts, has_think_tags=False, has_tagged_tool_calls=False)
    )
    answer = await ask(tool_engine, reasoning_effort="low", max_tokens=6, **fields)
    assert len(answer.finish) == fields.get("n", 1)
    assert answer.usage.prompt_tokens > 0
    assert 0 < answer.usage.completion_tokens <= 12
