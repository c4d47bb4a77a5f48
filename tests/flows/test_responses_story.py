"""The story of an agent's developer: the Responses API of `smalt serve` with the starter model, through the SDK."""

import json
from collections.abc import Iterator

import openai
import pytest
from pydantic import BaseModel

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Look up the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module", params=["openai_v1", "azure_v1", "azure_classic"])
def sdk(request, starter_server) -> Iterator[openai.OpenAI]:
    url, key = starter_server.url, starter_server.key
    if request.param == "azure_classic":
        made = openai.AzureOpenAI(azure_endpoint=url, api_version="2025-04-01-preview", api_key=key)
    else:
        made = openai.OpenAI(base_url=url + ("/v1" if request.param == "openai_v1" else "/openai/v1"), api_key=key)
    with made:
        yield made


def respond(sdk: openai.OpenAI, **fields):
    return sdk.responses.create(**{"model": "gpt-4o-mini", "temperature": 0, "max_output_tokens": 48, **fields})


def test_the_input_decides_the_answer(sdk):
    assert "blue" in respond(sdk, input="Repeat after me: the sea is blue.").output_text.lower()
    assert "red" in respond(sdk, input="Repeat after me: the rose is red.").output_text.lower()


def test_a_stream_spells_out_the_object_that_is_stored(sdk):
    asked = {"model": "gpt-4o-mini", "input": "Name three colours.", "temperature": 0, "max_output_tokens": 32}
    with sdk.responses.stream(**asked) as stream:
        events = list(stream)
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    last = events[-1].response
    assert last.output[0].content[0].text == said
    stored = sdk.responses.retrieve(last.id)
    assert stored.output_text == said
    assert stored.usage.output_tokens == last.usage.output_tokens > 0


def test_a_conversation_goes_on_over_several_responses(sdk):
    first = respond(sdk, input="Repeat after me: the sea is blue.")
    second = respond(sdk, input="Please repeat that once more.", previous_response_id=first.id)
    assert "blue" in second.output_text.lower()
    alone = respond(sdk, input="Please repeat that once more.")
    assert second.usage.input_tokens > alone.usage.input_tokens
    told = sdk.responses.input_items.list(second.id, order="asc").data
    assert [item.role for item in told] == ["user", "assistant", "user"]


def test_an_answer_has_the_form_that_a_class_says(sdk):
    parsed = sdk.responses.parse(
        model="gpt-4o-mini",
        input="Anna is 31 years old. Who is it?",
        text_format=Person,
        temperature=0,
        max_output_tokens=64,
    ).output_parsed
    assert isinstance(parsed, Person)
    assert parsed.name


def test_an_agent_loops_over_a_tool(sdk):
    asked = respond(sdk, input="What is the weather in Oslo?", tools=[WEATHER], tool_choice="required")
    call = next(item for item in asked.output if item.type == "function_call")
    arguments = json.loads(call.arguments)
    assert isinstance(arguments["city"], str)
    assert arguments["unit"] in ("celsius", "fahrenheit")
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Snow, 3 degrees below zero"}
    answer = respond(
        sdk, previous_response_id=asked.id, input=[output], tools=[WEATHER], tool_choice="none", max_output_tokens=64
    )
    assert answer.output_text.strip()
    assert not [item for item in answer.output if item.type == "function_call"]


def test_a_call_is_streamed_as_it_is_written(sdk):
    asked = {"input": "What is the weather in Rome?", "tools": [WEATHER], "tool_choice": "required", "stream": True}
    events = list(respond(sdk, **asked))
    spelled = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    call = events[-1].response.output[-1]
    assert json.loads(spelled) == json.loads(call.arguments)


def test_log_probabilities_are_those_of_the_answer(sdk):
    response = respond(
        sdk, input="Say hello.", include=["message.output_text.logprobs"], top_logprobs=3, max_output_tokens=16
    )
    part = response.output[0].content[0]
    assert part.text.startswith("".join(one.token for one in part.logprobs[:2]))
    assert all(one.logprob <= 0 and len(one.top_logprobs) == 3 for one in part.logprobs)


def test_an_answer_that_is_cut_off_says_so(sdk):
    response = respond(sdk, input="Write a long story about a ship.", max_output_tokens=16)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.usage.output_tokens == 16


def test_a_conversation_that_is_too_long_is_refused(sdk):
    items = [{"role": "user", "content": f"Fact number {n}: " + "the harbour was quiet. " * 60} for n in range(120)]
    with pytest.raises(openai.BadRequestError) as refused:
        respond(sdk, input=items)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input")
