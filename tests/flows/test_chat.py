"""Chat completions through the SDK, on every mount, over the echo engine."""

import asyncio
import time
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from serving import Served

HI = [{"role": "user", "content": "Hello there, friend"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Person(BaseModel):
    name: str
    age: int


class GetWeather(BaseModel):
    """Tells the weather."""

    city: str


def chat(client: openai.OpenAI, **fields: Any) -> Any:
    return client.chat.completions.create(**{"model": "echo", "messages": HI, **fields})


@pytest.mark.parametrize("model", ["echo", "far"])
def test_a_conversation_is_answered(client: openai.OpenAI, model: str):
    answer = chat(client, model=model)
    assert answer.choices[0].message.content == "Hello there, friend"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "echo"
    assert answer.usage.total_tokens == 6
    assert answer.usage.completion_tokens_details.reasoning_tokens == 0


@pytest.mark.parametrize("model", ["echo", "far"])
def test_a_stream_spells_out_the_whole_answer(client: openai.OpenAI, model: str):
    chunks = list(chat(client, model=model, stream=True, stream_options={"include_usage": True}))
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices].count("assistant") == 1
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello there, friend"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == 6


def test_an_alias_is_answered_by_what_stands_behind_it(client: openai.OpenAI):
    assert chat(client, model="gpt-4o-mini").model == "echo"


@pytest.mark.parametrize("model", ["echo", "far"])
def test_several_choices_come_in_turns_and_whole(client: openai.OpenAI, model: str):
    answer = chat(client, model=model, n=3)
    assert [choice.message.content for choice in answer.choices] == ["Hello there, friend"] * 3
    assert answer.usage.completion_tokens == 9
    texts = {0: "", 1: "", 2: ""}
    for chunk in chat(client, model=model, n=3, stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert set(texts.values()) == {"Hello there, friend"}


@pytest.mark.parametrize("model", ["echo", "far"])
def test_an_answer_is_parsed_into_a_pydantic_model(client: openai.OpenAI, model: str):
    answer = client.chat.completions.parse(model=model, messages=HI, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="", age=0)


@pytest.mark.parametrize("model", ["echo", "far"])
def test_the_stream_helper_parses_as_it_goes(client: openai.OpenAI, model: str):
    with client.chat.completions.stream(model=model, messages=HI, response_format=Person) as stream:
        kinds = {event.type for event in stream}
        assert stream.get_final_completion().choices[0].message.parsed == Person(name="", age=0)
    assert {"chunk", "content.delta", "content.done"} <= kinds


@pytest.mark.parametrize("model", ["echo", "far"])
def test_a_tool_is_called_and_its_result_leads_to_an_answer(client: openai.OpenAI, model: str):
    messages: list[Any] = [{"role": "user", "content": 'call get_weather {"city": "Oslo"}'}]
    answer = chat(client, model=model, messages=messages, tools=[WEATHER])
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city": "Oslo"}')
    messages += [answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "Rain."}]
    final = chat(client, model=model, messages=messages, tools=[WEATHER])
    assert final.choices[0].message.content == "Rain."


@pytest.mark.parametrize("model", ["echo", "far"])
def test_a_tool_call_is_streamed_and_parsed(client: openai.OpenAI, model: str):
    tools: Any = [openai.pydantic_function_tool(GetWeather)]
    with client.chat.completions.stream(model=model, messages=HI, tools=tools, tool_choice="required") as stream:
        kinds = [event.type for event in stream]
        (call,) = stream.get_final_completion().choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == GetWeather(city="")
    assert "tool_calls.function.arguments.done" in kinds


def test_functions_are_called_the_older_way(client: openai.OpenAI):
    functions = [WEATHER["function"]]
    answer = chat(client, functions=functions, function_call={"name": "get_weather"})
    assert answer.choices[0].finish_reason == "function_call"
    assert answer.choices[0].message.function_call.name == "get_weather"
    assert not answer.choices[0].message.tool_calls
    called = {"role": "assistant", "content": None, "function_call": {"name": "get_weather", "arguments": "{}"}}
    told = {"role": "function", "name": "get_weather", "content": "Rain."}
    final = chat(client, messages=[*HI, called, told], functions=functions)
    assert final.choices[0].message.content == "Rain."


@pytest.mark.parametrize("model", ["echo", "far"])
def test_log_probabilities_come_with_their_bytes(client: openai.OpenAI, model: str):
    answer = chat(client, model=model, logprobs=True, top_logprobs=1)
    (first, *_) = answer.choices[0].logprobs.content
    assert (first.token, bytes(first.bytes), first.top_logprobs[0].token) == ("Hello", b"Hello", "Hello")
    scored = [chunk.choices[0].logprobs for chunk in chat(client, model=model, logprobs=True, stream=True)]
    assert [entry.token for one in scored if one for entry in one.content] == ["Hello", " there,", " friend"]


@pytest.mark.parametrize("model", ["echo", "far"])
def test_thoughts_come_apart_from_the_answer(client: openai.OpenAI, model: str):
    answer = chat(client, model=model, reasoning_effort="low")
    assert answer.choices[0].message.reasoning_content.startswith("The last message")
    assert answer.choices[0].message.content == "Hello there, friend"
    assert answer.usage.completion_tokens_details.reasoning_tokens == 8


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}, "modalities"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"temperature": 3}, "temperature"),
        ({"messages": []}, "messages"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"stop": ["a"] * 5}, "stop"),
    ],
)
def test_a_field_that_cannot_be_honoured_is_named(client: openai.OpenAI, fields: dict[str, Any], param: str):
    with pytest.raises(openai.BadRequestError) as refusal:
        chat(client, **fields)
    assert refusal.value.param == param


@pytest.mark.parametrize("model", ["echo", "far"])
def test_a_picture_is_refused_by_its_place_without_a_model_that_sees(client: openai.OpenAI, model: str):
    content = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    with pytest.raises(openai.BadRequestError) as refusal:
        chat(client, model=model, messages=[{"role": "user", "content": content}])
    assert refusal.value.param == "messages[0].content[0]"


def test_an_overflow_is_told_in_the_words_that_clients_look_for(client: openai.OpenAI):
    messages = [{"role": "user", "content": "word " * 9}]
    with pytest.raises(openai.BadRequestError, match="maximum context length is 8 tokens") as refusal:
        chat(client, model="short", messages=messages)
    assert (refusal.value.code, refusal.value.param) == ("context_length_exceeded", "messages")


@pytest.mark.parametrize("stream", [True, False])
def test_an_unknown_model_is_404_and_lists_what_there_is(client: openai.OpenAI, stream: bool):
    with pytest.raises(openai.NotFoundError, match="fragile"):
        chat(client, model="nothing", stream=stream)


@pytest.mark.parametrize("stream", [True, False])
def test_an_engine_that_cannot_begin_is_a_real_500(client: openai.OpenAI, stream: bool):
    with pytest.raises(openai.InternalServerError):
        chat(client, model="broken", stream=stream)


def test_a_stream_that_breaks_ends_with_an_error_event_and_the_next_request_works(client: openai.OpenAI):
    stream = chat(client, model="fragile", stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(3)] == ["", "Hello", " there,"]
    with pytest.raises(openai.APIError, match="fail_after"):
        next(stream)
    assert chat(client).choices


def test_azure_and_openai_differ_in_their_extras(echo_server: Served):
    import requests

    body = {"model": "echo", "messages": HI}
    headers = {"api-key": echo_server.key}
    openai_answer = requests.post(
        f"{echo_server.url}/v1/chat/completions", json=body, headers=headers, timeout=10
    ).json()
    azure_answer = requests.post(
        f"{echo_server.url}/openai/v1/chat/completions", json=body, headers=headers, timeout=10
    ).json()
    assert openai_answer.keys() - azure_answer.keys() == {"service_tier"}
    assert not azure_answer.keys() - openai_answer.keys()


@pytest.fixture(params=["openai", "azure"])
async def async_client(echo_server: Served, request: pytest.FixtureRequest) -> Any:
    url, key = echo_server.url, echo_server.key
    if request.param == "azure":
        client = openai.AsyncAzureOpenAI(azure_endpoint=url, api_version="2025-04-01-preview", api_key=key)
    else:
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key)
    async with client:
        yield client


@pytest.mark.parametrize("model", ["echo", "far"])
async def test_many_streams_run_side_by_side(async_client: Any, model: str):
    async def told(number: int) -> str:
        messages = [{"role": "user", "content": f"number {number} of many"}]
        stream = await async_client.chat.completions.create(model=model, messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    answers = await asyncio.gather(*(told(number) for number in range(20)))
    assert answers == [f"number {number} of many" for number in range(20)]


async def test_the_async_helpers_work(async_client: Any):
    answer = await async_client.chat.completions.parse(model="echo", messages=HI, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="", age=0)
    async with async_client.chat.completions.stream(model="echo", messages=HI) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "Hello there, friend"


async def test_a_client_that_leaves_pays_for_what_came(async_client: Any, echo_server: Served):
    messages = [{"role": "user", "content": "one two three"}]
    user = f"leaver-{time.monotonic_ns()}"
    stream = await async_client.chat.completions.create(model="slow", messages=messages, stream=True, user=user)
    count = 0
    async for _ in stream:
        count += 1
        if count == 4:
            break
    await stream.close()
    row = await asyncio.wait_for(usage_of(echo_server, user), 10)
    assert 3 <= row.completion_tokens < 20
    assert row.prompt_tokens > 0


async def usage_of(served: Served, user: str) -> Any:
    """What the usage table says of an end user, once it says anything."""
    while True:
        await asyncio.sleep(0.2)
        rows = await asyncio.to_thread(read_usage, served, user)
        if rows:
            return rows[0]


def read_usage(served: Served, user: str) -> list[Any]:
    import sqlalchemy as sa

    from smalt.store.database import default_database
    from smalt.store.tables import end_users, usage

    engine = sa.create_engine(f"sqlite:///{default_database(served.app.state.settings.data_dir)}")
    try:
        with engine.connect() as connection:
            named = usage.join(end_users, usage.c.end_user == end_users.c.id)
            return list(connection.execute(sa.select(usage).select_from(named).where(end_users.c.user == user)))
    finally:
        engine.dispose()
