"""The story of a Python developer: the unmodified `openai` package against `smalt serve` and the starter models."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress

import openai
import psutil
import pytest
from pydantic import BaseModel

from audio_serving import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

QUESTION = [{"role": "user", "content": "What is the capital of Italy? Answer in one word."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Look up the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module", params=["openai", "azure"])
def sdk(request, starter_server) -> Iterator[openai.OpenAI]:
    if request.param == "azure":
        made = openai.AzureOpenAI(
            azure_endpoint=starter_server.url, api_version="2024-10-21", api_key=starter_server.key
        )
    else:
        made = openai.OpenAI(base_url=f"{starter_server.url}/openai/v1", api_key=starter_server.key)
    with made:
        yield made


@pytest.fixture(params=["openai", "azure"])
async def async_sdk(request, starter_server):
    url, key = starter_server.url, starter_server.key
    if request.param == "azure":
        made = openai.AsyncAzureOpenAI(azure_endpoint=url, api_version="2024-10-21", api_key=key)
    else:
        made = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key)
    async with made:
        yield made


def test_two_questions_get_two_answers_that_the_questions_decide(sdk):
    def ask(text):
        messages = [{"role": "user", "content": text}]
        answer = sdk.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0, max_tokens=32)
        assert answer.model == "smollm2-135m-instruct"
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
        return answer.choices[0].message.content

    assert "blue" in ask("Repeat after me: the sea is blue.").lower()
    assert "red" in ask("Repeat after me: the rose is red.").lower()


def test_a_stream_spells_out_the_same_answer(sdk):
    request = {"model": "gpt-4o-mini", "messages": QUESTION, "temperature": 0, "max_tokens": 16, "seed": 7}
    whole = sdk.chat.completions.create(**request)
    with sdk.chat.completions.stream(**request, stream_options={"include_usage": True}) as stream:
        said = "".join(event.delta for event in stream if event.type == "content.delta")
        spelled = stream.get_final_completion()
    assert said == spelled.choices[0].message.content == whole.choices[0].message.content
    assert spelled.choices[0].finish_reason == whole.choices[0].finish_reason
    assert spelled.usage.completion_tokens == whole.usage.completion_tokens
    assert spelled.system_fingerprint == whole.system_fingerprint


def test_an_answer_is_parsed_into_a_pydantic_model(sdk):
    messages = [{"role": "user", "content": "Extract name and age: Anna is 31 years old."}]
    answer = sdk.chat.completions.parse(
        model="gpt-4o-mini", messages=messages, response_format=Person, temperature=0, max_tokens=60
    )
    assert answer.choices[0].message.parsed == Person(name="Anna", age=31)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_forced_tool_is_called_with_valid_arguments_and_its_result_leads_to_an_answer(sdk, choice):
    messages = [{"role": "user", "content": "What is the weather in Rome, in celsius?"}]
    request = {"model": "gpt-4o-mini", "tools": [WEATHER], "temperature": 0, "max_tokens": 60}
    asked = sdk.chat.completions.create(**request, messages=messages, tool_choice=choice).choices[0].message
    (call,) = asked.tool_calls
    arguments = json.loads(call.function.arguments)
    assert arguments.keys() == {"city", "unit"}
    assert "Rome" in arguments["city"]
    told = {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 24 degrees."}
    final = sdk.chat.completions.create(**request, messages=[*messages, asked, told], tool_choice="none")
    assert final.choices[0].message.content


def test_a_streamed_call_has_one_id_and_whole_arguments(sdk):
    chunks = sdk.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, tools=[WEATHER], tool_choice="required", stream=True, seed=1
    )
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert [call.id for call in calls if call.id] == [calls[0].id]
    assert {call.index for call in calls} == {0}
    assert json.loads("".join(call.function.arguments for call in calls)).keys() == {"city", "unit"}


def test_a_text_is_continued(sdk):
    answer = sdk.completions.create(
        model="gpt-3.5-turbo-instruct", prompt="One, two, three, four,", max_tokens=6, temperature=0, logprobs=2
    )
    assert answer.model == "gemma-3-270m"
    assert "five" in answer.choices[0].text
    assert "".join(answer.choices[0].logprobs.tokens) == answer.choices[0].text


def test_what_means_the_same_is_closer_than_what_does_not(sdk):
    texts = ["A man is eating food.", "Somebody has a meal.", "The stock market fell sharply."]
    answer = sdk.embeddings.create(model="text-embedding-3-small", input=texts)
    man, meal, market = (item.embedding for item in answer.data)
    assert sum(a * b for a, b in zip(man, meal, strict=True)) > 2 * abs(
        sum(a * b for a, b in zip(man, market, strict=True))
    )
    short = sdk.embeddings.create(model="text-embedding-3-small", input=texts[0], dimensions=64).data[0].embedding
    assert len(short) == 64
    assert sum(a * a for a in short) == pytest.approx(1, abs=1e-5)


def test_the_alias_and_the_model_are_listed_and_a_wrong_name_is_told_what_there_is(sdk):
    assert {"gpt-4o-mini", "smollm2-135m-instruct"} <= {model.id for model in sdk.models.list()}
    with pytest.raises(openai.NotFoundError, match="smollm2-135m-instruct"):
        sdk.chat.completions.create(model="no-such-model", messages=QUESTION)


async def test_the_asynchronous_clients_stream_and_embed(async_sdk):
    said = ""
    async with async_sdk.chat.completions.stream(model="gpt-4o-mini", messages=QUESTION, max_tokens=8) as stream:
        async for event in stream:
            said += event.delta if event.type == "content.delta" else ""
    assert said
    answer = await async_sdk.embeddings.create(model="text-embedding-3-small", input="word " * 3000)
    assert answer.usage.prompt_tokens == 3000


def test_stored_completions_are_listed_read_changed_and_forgotten(starter_server):
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key=starter_server.key) as sdk:
        made = sdk.chat.completions.create(
            model="gpt-4o-mini", messages=QUESTION, max_tokens=4, store=True, metadata={"story": "starter"}
        )
        assert [item.id for item in sdk.chat.completions.list(metadata={"story": "starter"})] == [made.id]
        assert sdk.chat.completions.retrieve(made.id).choices == made.choices
        assert [item.content for item in sdk.chat.completions.messages.list(made.id)] == [QUESTION[0]["content"]]
        assert sdk.chat.completions.update(made.id, metadata={"a": "b"}).metadata == {"a": "b"}
        assert sdk.chat.completions.delete(made.id).deleted
        with pytest.raises(openai.NotFoundError):
            sdk.chat.completions.retrieve(made.id)


def llama_worker(server) -> psutil.Process:
    """The worker that the server runs for the chat model."""
    for process in psutil.Process(server.pid).children(recursive=True):
        # One that was killed is there until its host has noticed.
        with suppress(psutil.NoSuchProcess):
            if any(path.path.endswith("q8_0.gguf") for path in process.memory_maps()):
                return process
    raise AssertionError("no worker holds the chat model")


def test_a_killed_worker_ends_its_stream_with_an_error_and_the_next_request_works(starter_server):
    with openai.OpenAI(base_url=f"{starter_server.url}/openai/v1", api_key=starter_server.key, max_retries=0) as sdk:
        request = {"model": "gpt-4o-mini", "messages": QUESTION, "logit_bias": {"2": -100}}
        stream = iter(sdk.chat.completions.create(**request, stream=True, max_tokens=2000))
        for _ in range(5):
            next(stream)
        llama_worker(starter_server).kill()
        with pytest.raises(openai.APIError, match="worker"):
            for _ in stream:
                pass
        assert sdk.chat.completions.create(**request, max_tokens=4).choices[0].message.content


def test_a_client_that_leaves_frees_its_slot_long_before_the_end(starter_server):
    with openai.OpenAI(base_url=f"{starter_server.url}/openai/v1", api_key=starter_server.key) as sdk:
        request = {"model": "gpt-4o-mini", "messages": QUESTION, "logit_bias": {"2": -100}}
        with sdk.chat.completions.create(**request, stream=True, max_tokens=4000) as stream:
            next(iter(stream))
            worker = llama_worker(starter_server)
        assert eventually(lambda: is_resting(worker), within_seconds=10)


def is_resting(worker):
    """Whether a worker generates nothing: that would take a whole processor, and more."""
    before = worker.cpu_times()
    time.sleep(1)
    after = worker.cpu_times()
    return after.user + after.system - before.user - before.system < 0.3


def test_a_model_without_room_is_told_to_wait_and_then_takes_the_place_of_an_idle_one(cramped_server):
    with openai.OpenAI(base_url=f"{cramped_server.url}/v1", api_key=cramped_server.key, max_retries=0) as sdk:
        request = {"model": "gpt-4o-mini", "messages": QUESTION, "logit_bias": {"2": -100}}
        with sdk.chat.completions.create(**request, stream=True, max_tokens=4000) as stream:
            next(iter(stream))
            with pytest.raises(openai.InternalServerError) as refused:
                sdk.embeddings.create(model="text-embedding-3-small", input="no room")
        assert refused.value.status_code == 503
        assert int(refused.value.response.headers["retry-after"]) > 0
        time.sleep(1)
        assert len(sdk.embeddings.create(model="text-embedding-3-small", input="room").data) == 1
