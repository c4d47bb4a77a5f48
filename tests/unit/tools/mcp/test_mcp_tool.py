"""The tools of real MCP servers are listed, called and approved."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mcp_servers import Harbour, Transport, harbour
from smalt.api.responses.writer import ResponseWriter
from smalt.core.settings import McpSettings
from smalt.schemas.vocabulary import check_answer
from smalt.tools.mcp import McpClients, McpTool
from smalt.tools.protocols import Outcome

Json = dict[str, Any]
ALL = ["tide", "book_berth", "sink", "count", "wait", "photograph", "log_book"]


class Conversation:
    """One response after another, with what the client and the model know."""

    def __init__(self, clients: McpClients, url: str) -> None:
        self.clients = clients
        self.url = url
        self.items: list[Json] = []
        self.events: list[Json] = []

    @asynccontextmanager
    async def response(self, **fields: Any) -> AsyncIterator[tuple[McpTool, ResponseWriter]]:
        """A response whose request names the server; its output is known to the next."""
        self.events = []
        beginning = {"id": f"resp_{len(self.items):050x}", "status": "in_progress", "output": []}
        writer = ResponseWriter(beginning, self.events.append)
        tool = McpTool(self.clients, {"type": "mcp", "server_label": "harbour", "server_url": self.url, **fields})
        await tool.prepare(writer, self.items)
        try:
            yield tool, writer
        finally:
            await tool.close()
            self.items += writer.items

    def told(self) -> list[str]:
        """The events of the last response behind its beginning."""
        return [event["type"].removeprefix("response.") for event in self.events[2:]]


async def called(tool: McpTool, writer: ResponseWriter, name: str, arguments: str = "{}") -> Outcome:
    """A call as a run makes it, the arguments letter by letter; what the model read is kept with it."""
    call = tool.begin(name, writer)
    for letter in arguments:
        call.add(letter)
    outcome = await call.run()
    if call.item is not None:
        call.item.end(**outcome.item, _told={"output": outcome.text})
    return outcome


def names(tool: McpTool) -> list[str]:
    return [function.name for function in tool.functions()]


@pytest.fixture(params=["streamable_http", "sse"])
def server(request: pytest.FixtureRequest) -> Iterator[Harbour]:
    transport: Transport = request.param
    with harbour(transport) as running:
        yield running


@pytest.fixture
async def clients() -> AsyncIterator[McpClients]:
    clients = McpClients(McpSettings(connect_seconds=10, call_seconds=10))
    yield clients
    await clients.close()


async def test_the_tools_are_listed_and_called(server: Harbour, clients: McpClients):
    conversation = Conversation(clients, server.url)
    async with conversation.response(require_approval="never") as (tool, writer):
        assert names(tool) == ALL
        tide = tool.functions()[0]
        assert tide.description == "Tells how high the water stands in a port, in metres."
        assert tide.parameters["required"] == ["port"]
        outcome = await called(tool, writer, "tide", '{"port": "Kiel", "hour": 10}')
    assert outcome.text == "Kiel: 3.0 m at 10:00"
    assert not outcome.ends_run
    assert conversation.told() == [
        "output_item.added",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "output_item.done",
        "output_item.added",
        "mcp_call.in_progress",
        "mcp_call.arguments_delta",
        "mcp_call.arguments_done",
        "mcp_call.completed",
        "output_item.done",
    ]
    listed, call = conversation.items
    assert call.pop("_told") == {"output": outcome.text}
    check_answer("MCPListToolsItemResource", listed)
    check_answer("MCPCallItemResource", call)
    assert listed["id"].startswith("mcpl_")
    assert listed["tools"][0] == {
        "annotations": {"read_only": True},
        "description": "Tells how high the water stands in a port, in metres.",
        "input_schema": tide.parameters,
        "name": "tide",
    }
    assert call == {
        "id": call["id"],
        "type": "mcp_call",
        "status": "completed",
        "approval_request_id": None,
        "arguments": '{"port": "Kiel", "hour": 10}',
        "error": None,
        "name": "tide",
        "output": "Kiel: 3.0 m at 10:00",
        "server_label": "harbour",
    }


async def test_headers_go_with_every_request(server: Harbour, clients: McpClients):
    conversation = Conversation(clients, server.url)
    fields: Json = {"headers": {"X-Key": "sesame"}, "authorization": "open", "require_approval": "never"}
    async with conversation.response(**fields) as (tool, writer):
        await called(tool, writer, "count")
    assert {headers["x-key"] for headers in server.headers} == {"sesame"}
    assert {headers["authorization"] for headers in server.headers} == {"Bearer open"}
    assert "sesame" not in str(conversation.events)


async def test_calls_of_one_response_share_a_session(server: Harbour, clients: McpClients):
    conversation = Conversation(clients, server.url)
    for _ in range(2):
        async with conversation.response(require_approval="never") as (tool, writer):
            outcomes = await asyncio.gather(*(called(tool, writer, "count") for _ in range(3)))
            assert sorted(outcome.text for outcome in outcomes) == ["1", "2", "3"]
    assert server.asked("initialize") == 2


async def test_a_server_is_asked_for_its_tools_once_in_a_while(clients: McpClients):
    with harbour(stateless=True) as server:
        for headers in ({}, {}, {"X-Key": "other"}):
            async with Conversation(clients, server.url).response(headers=headers) as (tool, _):
                assert names(tool) == ALL
        assert server.asked("tools/list") == 2
        impatient = McpClients(McpSettings(cache_seconds=0))
        for _ in range(2):
            async with Conversation(impatient, server.url).response():
                pass
        assert server.asked("tools/list") == 4


async def test_tools_that_the_conversation_lists_are_not_listed_again(clients: McpClients):
    with harbour() as server:
        conversation = Conversation(clients, server.url)
        async with conversation.response():
            pass
        async with conversation.response(allowed_tools=["tide"]) as (tool, _):
            assert names(tool) == ["tide"]
        assert conversation.told() == []
        assert server.asked("tools/list") == 1
        assert [item["type"] for item in conversation.items] == ["mcp_list_tools"]


async def test_tools_that_the_conversation_does_not_list_yet_are_listed(clients: McpClients):
    with harbour() as server:
        conversation = Conversation(clients, server.url)
        async with conversation.response(allowed_tools=["tide"]):
            pass
        async with conversation.response(allowed_tools={"tool_names": ["tide", "count"]}) as (tool, _):
            assert names(tool) == ["tide", "count"]
        assert [[tool["name"] for tool in item["tools"]] for item in conversation.items] == [
            ["tide"],
            ["tide", "count"],
        ]


async def test_the_server_is_described_with_its_tools(clients: McpClients):
    with harbour() as server:
        conversation = Conversation(clients, server.url)
        async with conversation.response(server_description="The harbour of Kiel.", allowed_tools=["count"]) as made:
            assert made[0].functions()[0].description == "Counts the calls of one session. (The harbour of Kiel.)"


async def test_a_call_waits_for_its_approval_and_is_made_once(server: Harbour, clients: McpClients):
    conversation = Conversation(clients, server.url)
    async with conversation.response() as (tool, writer):
        outcome = await called(tool, writer, "book_berth", '{"ship": "Pourquoi-Pas"}')
        assert outcome.ends_run
    request = conversation.items[-1]
    check_answer("MCPApprovalRequestItemResource", request)
    assert conversation.told()[4:] == ["output_item.added", "output_item.done"]
    assert conversation.events[-2]["item"] == request
    assert (request["name"], request["arguments"]) == ("book_berth", '{"ship": "Pourquoi-Pas"}')
    assert server.asked("tools/call") == 0

    conversation.items.append(
        {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True, "id": "mcpa_1"}
    )
    async with conversation.response():
        pass
    call = conversation.items[-1]
    assert call["approval_request_id"] == request["id"]
    assert (call["status"], call["output"]) == ("completed", "Berth 7 is booked for Pourquoi-Pas.")
    assert call["_told"] == {
        "name": "book_berth",
        "arguments": '{"ship": "Pourquoi-Pas"}',
        "output": "Berth 7 is booked for Pourquoi-Pas.",
    }

    async with conversation.response():
        pass
    assert conversation.items[-1] is call
    assert server.asked("tools/call") == 1


async def test_a_call_that_was_not_approved_is_not_made(clients: McpClients):
    with harbour() as server:
        conversation = Conversation(clients, server.url)
        async with conversation.response() as (tool, writer):
            await called(tool, writer, "sink", '{"ship": "Titanic"}')
        request = conversation.items[-1]
        conversation.items.append(
            {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": False}
        )
        async with conversation.response():
            pass
        assert conversation.told() == []
        assert server.asked("tools/call") == 0


async def test_an_approved_call_of_a_tool_that_is_no_longer_allowed_fails(clients: McpClients):
    with harbour() as server:
        conversation = Conversation(clients, server.url)
        async with conversation.response() as (tool, writer):
            await called(tool, writer, "sink", '{"ship": "Titanic"}')
        request = conversation.items[-1]
        conversation.items.append(
            {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
        )
        async with conversation.response(allowed_tools=["tide"]):
            pass
        assert conversation.items[-1]["status"] == "failed"
        assert "not among the allowed tools" in conversation.items[-1]["error"]["message"]
        assert server.asked("tools/call") == 0


async def test_a_tool_that_fails_is_told_to_the_model(server: Harbour, clients: McpClients):
    conversation = Conversation(clients, server.url)
    async with conversation.response(require_approval="never") as (tool, writer):
        outcome = await called(tool, writer, "sink", '{"ship": "Titanic"}')
        assert outcome.text == "Error: Error executing tool sink: Titanic does not sink"
        assert conversation.told()[-2:] == ["mcp_call.failed", "output_item.done"]
        assert (await called(tool, writer, "count")).text == "1"
    call = conversation.items[1]
    del call["_told"]
    check_answer("MCPCallItemResource", call)
    assert (call["status"], call["output"]) == ("failed", None)
    assert call["error"] == {
        "type": "mcp_tool_execution_error",
        "content": [{"type": "text", "text": "Error executing tool sink: Titanic does not sink"}],
    }
    assert server.asked("tools/list") == 1


@pytest.mark.parametrize("require_approval", ["never", "always"])
@pytest.mark.parametrize("arguments", ['{"ship": "half', "[1]", '"text"'])
async def test_arguments_that_are_no_object_are_the_models_to_mend(
    clients: McpClients, require_approval: str, arguments: str
):
    with harbour() as server:
        conversation = Conversation(clients, server.url)
        async with conversation.response(require_approval=require_approval) as (tool, writer):
            outcome = await called(tool, writer, "sink", arguments)
        assert outcome.text == "Error: The arguments are not a JSON object."
        assert not outcome.ends_run
        assert conversation.items[-1]["error"]["type"] == "mcp_protocol_error"
        assert server.asked("tools/call") == 0


async def test_no_arguments_are_an_empty_object(clients: McpClients):
    with harbour() as server:
        conversation = Conversation(clients, server.url)
        async with conversation.response(require_approval="never") as (tool, writer):
            assert (await called(tool, writer, "count", "")).text == "1"
        assert conversation.items[-1]["arguments"] == "{}"


async def test_what_is_not_text_is_named(clients: McpClients):
    with harbour() as server:
        async with Conversation(clients, server.url).response(require_approval="never") as (tool, writer):
            outcome = await called(tool, writer, "photograph")
    assert outcome.text == "[image of type image/png, 72 bytes, which cannot be shown here]"


async def test_more_than_any_model_reads_is_left_out(clients: McpClients):
    with harbour() as server:
        async with Conversation(clients, server.url).response(require_approval="never") as (tool, writer):
            outcome = await called(tool, writer, "log_book", '{"letters": 300000}')
    assert outcome.text.startswith("x" * 262144)
    assert outcome.text.endswith("[37856 more characters were left out]")


async def test_a_session_ends_with_its_response(clients: McpClients):
    with harbour() as server:
        async with Conversation(clients, server.url).response() as (tool, _):
            assert names(tool) == ALL
        assert server.sessions_ended == 1
