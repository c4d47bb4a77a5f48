"""A short story with `pydantic-ai`, whose model for the Responses API is another client than the SDK's own agents."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelSettings, NativeOutput, RunContext, ToolOutput
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SEA = "Repeat after me: the sea is blue."
AGAIN = "Please repeat that once more."
SHORT = ModelSettings(temperature=0, max_tokens=200)


class City(BaseModel):
    name: str
    inhabitants: int


@pytest.fixture(params=["/v1", "/openai/v1"])
async def model(request: pytest.FixtureRequest, starter_server: Any) -> AsyncIterator[OpenAIResponsesModel]:
    url, key = starter_server.url + request.param, starter_server.key
    async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
        yield OpenAIResponsesModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client))


def first_a_tool(context: RunContext[None]) -> ModelSettings:
    return {**SHORT, "tool_choice": "required" if context.run_step == 1 else "none"}


def weather_agent(model: OpenAIResponsesModel, asked: list[str]) -> Agent[None, str]:
    agent = Agent(model, instructions="Answer with what the tool says.", model_settings=first_a_tool)

    @agent.tool_plain
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        asked.append(city)
        return f"It is 17 degrees and raining in {city}."

    return agent


async def test_an_agent_calls_its_tool_and_answers(model: OpenAIResponsesModel):
    asked: list[str] = []
    agent = weather_agent(model, asked)
    first = await agent.run("What is the weather in Paris?")
    assert asked == ["Paris"]
    assert [[type(part) for part in message.parts][-1] for message in first.all_messages()[1:]] == [
        ToolCallPart,
        ToolReturnPart,
        TextPart,
    ]
    assert first.output
    assert first.usage.requests == 2
    assert first.usage.output_tokens > 0
    second = await agent.run("And in Rome?", message_history=first.all_messages())
    assert asked == ["Paris", "Rome"]
    assert second.output


async def test_a_streamed_run_is_its_deltas_put_together(model: OpenAIResponsesModel):
    asked: list[str] = []
    async with weather_agent(model, asked).run_stream("What is the weather in Paris?") as run:
        said = [delta async for delta in run.stream_text(delta=True, debounce_by=None)]
        assert "".join(said) == await run.get_output() != ""
        assert run.usage.requests == 2
    assert asked == ["Paris"]
    assert len(said) > 1


@pytest.mark.parametrize("form", [NativeOutput, ToolOutput])
async def test_an_answer_is_what_the_output_type_says(model: OpenAIResponsesModel, form: Any):
    agent = Agent(model, output_type=form(City), instructions="Extract.", model_settings=SHORT)
    result = await agent.run("Oslo has 700000 inhabitants.")
    assert isinstance(result.output, City)
    assert result.output.name
    async with agent.run_stream("Oslo has 700000 inhabitants.") as run:
        grown = [city async for city in run.stream_output(debounce_by=None)]
        assert isinstance(grown[-1], City)
        assert grown[-1] == await run.get_output()


async def test_a_talk_goes_on_with_its_messages_or_from_its_last_response(model: OpenAIResponsesModel):
    agent = Agent(model, instructions="Be short.", model_settings=SHORT)
    first = await agent.run(SEA)
    with_messages = await agent.run(AGAIN, message_history=first.all_messages())
    last = OpenAIResponsesModelSettings(openai_previous_response_id=first.response.provider_response_id)
    from_last = await agent.run(AGAIN, model_settings=last)
    for result in (first, with_messages, from_last):
        assert "blue" in result.output.lower()
    told = [message for message in with_messages.all_messages() if isinstance(message, ModelRequest)]
    assert len(told) == 2
    assert isinstance(with_messages.response, ModelResponse)
    assert with_messages.usage.input_tokens == from_last.usage.input_tokens > first.usage.input_tokens
