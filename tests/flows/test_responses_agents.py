"""The story of an agent's developer: `openai-agents`, unmodified, runs its agents on the starter model."""

import json
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from typing import Any

import openai
import pytest
from agents import (
    Agent,
    FileSearchTool,
    HostedMCPTool,
    ModelSettings,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    ToolCallItem,
    function_tool,
)
from pydantic import BaseModel, Field

from mcp_servers import Harbour, harbour
from public_documents import public_document

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SILENT = RunConfig(tracing_disabled=True)
SEA = "Repeat after me: the sea is blue."
AGAIN = "Please repeat that once more."
TIDE = "Call tide with the port Kiel and the hour 5."
DOCUMENTS = {
    "siege.pdf": "resources/Seige_of_Vicksburg_Sample_OCR.pdf",
    "cable.pdf": "resources/AutoCad_Diagram.pdf",
}


class City(BaseModel):
    name: str
    inhabitants: int


class Quotation(BaseModel):
    quote: str = Field(max_length=120)


@pytest.fixture(params=["/v1", "/openai/v1"])
async def model(request: pytest.FixtureRequest, starter_server: Any) -> AsyncIterator[OpenAIResponsesModel]:
    url, key = starter_server.url + request.param, starter_server.key
    async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
        yield OpenAIResponsesModel("gpt-4o-mini", client)


@pytest.fixture(scope="module")
def server() -> Iterator[Harbour]:
    with harbour() as running:
        yield running


@pytest.fixture(scope="module")
def library(starter_server: Any) -> str:
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key=starter_server.key, max_retries=0) as client:
        store = client.vector_stores.create(name="Documents on paper")
        found = [(name, public_document("pypdf", member)) for name, member in DOCUMENTS.items()]
        batch = client.vector_stores.file_batches.upload_and_poll(store.id, files=found, poll_interval_ms=200)
    assert batch.file_counts.completed == len(DOCUMENTS)
    return store.id


def settings(**fields: Any) -> ModelSettings:
    return ModelSettings(**{"temperature": 0, "max_tokens": 200, **fields})


def kinds(result: Any) -> list[str]:
    return [item.type for item in result.new_items]


def hosted_call(result: Any) -> Any:
    (call,) = [item.raw_item for item in result.new_items if isinstance(item, ToolCallItem)]
    return call


def weather_agent(model: OpenAIResponsesModel, asked: list[str]) -> Agent:
    @function_tool
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        asked.append(city)
        return f"It is 17 degrees and raining in {city}."

    return Agent(
        name="Meteorologist",
        instructions="Answer with what the tool says.",
        model=model,
        tools=[weather],
        model_settings=settings(tool_choice="required"),
    )


async def test_an_agent_calls_its_tool_and_answers(model: OpenAIResponsesModel):
    asked: list[str] = []
    agent = weather_agent(model, asked)
    first = await Runner.run(agent, "What is the weather in Paris?", run_config=SILENT)
    assert asked == ["Paris"]
    assert kinds(first) == ["tool_call_item", "tool_call_output_item", "message_output_item"]
    assert first.final_output
    usage = first.context_wrapper.usage
    assert usage.requests == 2
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens > 0
    rome = {"role": "user", "content": "And in Rome?"}
    second = await Runner.run(agent, [*first.to_input_list(), rome], run_config=SILENT)
    third = await Runner.run(agent, "And in Rome?", previous_response_id=first.last_response_id, run_config=SILENT)
    assert asked == ["Paris", "Rome", "Rome"]
    assert second.final_output
    assert third.final_output


async def test_a_talk_goes_on_with_its_items_or_from_its_last_response(model: OpenAIResponsesModel):
    agent = Agent(name="Echo", instructions="Be short.", model=model, model_settings=settings())
    first = await Runner.run(agent, SEA, run_config=SILENT)
    again = [*first.to_input_list(), {"role": "user", "content": AGAIN}]
    with_items = await Runner.run(agent, again, run_config=SILENT)
    from_last = await Runner.run(agent, AGAIN, previous_response_id=first.last_response_id, run_config=SILENT)
    for result in (first, with_items, from_last):
        assert "blue" in result.final_output.lower()
    asked = [result.context_wrapper.usage.input_tokens for result in (with_items, from_last)]
    assert asked[0] == asked[1] > first.context_wrapper.usage.input_tokens


async def test_an_answer_is_what_the_output_type_says(model: OpenAIResponsesModel):
    agent = Agent(name="Clerk", instructions="Extract.", model=model, output_type=City, model_settings=settings())
    result = await Runner.run(agent, "Oslo has 700000 inhabitants.", run_config=SILENT)
    assert isinstance(result.final_output, City)
    assert result.final_output.name == "Oslo"


async def test_a_streamed_run_tells_every_event_in_its_order(model: OpenAIResponsesModel):
    asked: list[str] = []
    run = Runner.run_streamed(weather_agent(model, asked), "What is the weather in Paris?", run_config=SILENT)
    raw, named = [], []
    async for event in run.stream_events():
        if event.type == "raw_response_event":
            raw.append(event.data)
        elif event.type == "run_item_stream_event":
            named.append(event.name)
    assert named == ["tool_called", "tool_output", "message_output_created"]
    assert asked == ["Paris"]
    begun = [place for place, event in enumerate(raw) if event.type == "response.created"]
    assert begun[0] == 0
    for start, end in pairwise([*begun, len(raw)]):
        assert [event.sequence_number for event in raw[start:end]] == list(range(end - start))
        assert raw[end - 1].type == "response.completed"
    assert len(begun) == 2
    said = "".join(event.delta for event in raw if event.type == "response.output_text.delta")
    assert said == run.final_output != ""


async def test_an_mcp_server_is_called_by_the_one_that_answers(model: OpenAIResponsesModel, server: Harbour):
    agent = harbour_agent(model, server, require_approval="never")
    calls = server.asked("tools/call")
    result = await Runner.run(agent, TIDE, run_config=SILENT)
    assert kinds(result) == ["mcp_list_tools_item", "tool_call_item", "message_output_item"]
    assert server.asked("tools/call") == calls + 1
    check_tide(hosted_call(result))
    assert result.final_output
    agent.model_settings = settings(tool_choice="none")
    thanks = {"role": "user", "content": "Thank you."}
    after = await Runner.run(agent, [*result.to_input_list(), thanks], run_config=SILENT)
    assert kinds(after) == ["message_output_item"]


async def test_a_call_of_an_mcp_server_waits_for_its_approval(model: OpenAIResponsesModel, server: Harbour):
    agent = harbour_agent(model, server, require_approval="always")
    calls = server.asked("tools/call")
    paused = await Runner.run(agent, TIDE, run_config=SILENT)
    (request,) = paused.interruptions
    assert request.raw_item.name == "tide"
    assert server.asked("tools/call") == calls
    state = paused.to_state()
    state.approve(request)
    agent.model_settings = settings(tool_choice="none")
    result = await Runner.run(agent, state, run_config=SILENT)
    assert server.asked("tools/call") == calls + 1
    call = hosted_call(result)
    assert (call.approval_request_id, call.arguments) == (request.raw_item.id, request.raw_item.arguments)
    check_tide(call)
    assert result.final_output


def harbour_agent(model: OpenAIResponsesModel, server: Harbour, **fields: Any) -> Agent:
    tool: Any = {
        "type": "mcp",
        "server_label": "harbour",
        "server_url": server.url,
        "allowed_tools": ["tide"],
        **fields,
    }
    return Agent(
        name="Harbour master",
        instructions="Answer with what the tool says.",
        model=model,
        tools=[HostedMCPTool(tool_config=tool)],
        model_settings=settings(tool_choice="required"),
    )


def check_tide(call: Any) -> None:
    """Whatever the model asked for, this is what the server answers."""
    arguments = json.loads(call.arguments)
    assert set(arguments) <= {"port", "hour"}
    hour = arguments.get("hour", 12)
    assert (call.type, call.server_label, call.error) == ("mcp_call", "harbour", None)
    assert call.output == f"{arguments['port']}: {2 + hour / 10:.1f} m at {hour}:00"


async def test_an_answer_from_a_pdf_cites_it(model: OpenAIResponsesModel, library: str):
    agent = Agent(
        name="Librarian",
        instructions="Quote the sentence that answers.",
        model=model,
        tools=[FileSearchTool(vector_store_ids=[library], max_num_results=1, include_search_results=True)],
        output_type=Quotation,
        model_settings=settings(tool_choice="file_search", max_tokens=500, extra_args={"max_tool_calls": 1}),
    )
    question = "How is the cable inserted into the gland, and the nut tightened?"
    result = await Runner.run(agent, question, run_config=SILENT)
    assert kinds(result) == ["tool_call_item", "message_output_item"]
    assert isinstance(result.final_output, Quotation)
    (found,) = hosted_call(result).results
    assert found.filename == "cable.pdf"
    (part,) = result.new_items[-1].raw_item.content
    assert {(cited.type, cited.filename, cited.file_id) for cited in part.annotations} == {
        ("file_citation", "cable.pdf", found.file_id)
    }
    assert all(0 <= cited.index <= len(part.text) for cited in part.annotations)
    again = [*result.to_input_list(), {"role": "user", "content": "Quote another sentence."}]
    agent.model_settings = settings(tool_choice="none")
    after = await Runner.run(agent, again, run_config=SILENT)
    assert kinds(after) == ["message_output_item"]
