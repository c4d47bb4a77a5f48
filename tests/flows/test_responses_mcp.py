"""A response uses the tools of an MCP server that the test starts, through the SDK, on each mount that it is for."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from mcp_servers import Harbour, harbour
from serving import Served
from smalt.schemas.vocabulary import check_answer

SECRET = "sesame-street"
TIDE = 'call tide {"port": "Kiel"}'
BERTH = 'call book_berth {"ship": "Pourquoi-Pas"}'


@pytest.fixture(scope="module", params=["/v1", "/openai/v1"])
def v1_client(echo_server: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=echo_server.url + request.param, api_key=echo_server.key, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def server() -> Iterator[Harbour]:
    with harbour() as running:
        yield running


def mcp(server: Harbour, **fields: Any) -> Any:
    return {"type": "mcp", "server_label": "harbour", "server_url": server.url, **fields}


def kinds(response: Any) -> list[str]:
    return [item.type for item in response.output]


def test_the_model_answers_with_what_a_server_says(v1_client: openai.OpenAI, server: Harbour):
    tools = [mcp(server, require_approval="never", headers={"X-Key": SECRET}, authorization=SECRET)]
    raw = v1_client.responses.with_raw_response.create(model="echo", input=TIDE, tools=tools)
    check_answer("AzureResponse", raw.http_response.json())
    response = raw.parse()
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "message"]
    assert response.output[1].output == "Kiel: 3.2 m at 12:00"
    assert response.output_text == "Kiel: 3.2 m at 12:00"
    assert SECRET not in response.model_dump_json()
    assert SECRET not in v1_client.responses.retrieve(response.id).model_dump_json()
    assert server.headers[-2]["x-key"] == SECRET


def test_a_stream_tells_the_call_as_the_mount_does(v1_client: openai.OpenAI, server: Harbour):
    tools = [mcp(server, require_approval="never")]
    with v1_client.responses.create(model="echo", input=TIDE, tools=tools, stream=True) as stream:
        events = list(stream)
    of_tools = [event for event in events if "mcp" in event.type]
    for event in of_tools:
        check_answer("ResponseStreamEvent", event.to_dict())
    told = [event.type for event in of_tools]
    arguments = "mcp_call.arguments_" if "/openai/" in str(v1_client.base_url) else "mcp_call_arguments."
    assert told == [
        "response.mcp_list_tools.in_progress",
        "response.mcp_list_tools.completed",
        "response.mcp_call.in_progress",
        f"response.{arguments}delta",
        f"response.{arguments}done",
        "response.mcp_call.completed",
    ]
    assert events[-1].type == "response.completed"


def test_a_call_waits_until_it_is_approved(v1_client: openai.OpenAI, server: Harbour):
    calls = server.asked("tools/call")
    first = v1_client.responses.create(model="echo", input=BERTH, tools=[mcp(server)])
    assert kinds(first) == ["mcp_list_tools", "mcp_approval_request"]
    assert first.status == "completed"
    assert server.asked("tools/call") == calls
    request = first.output[1]
    answer = {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": True}
    second = v1_client.responses.create(
        model="echo", input=[answer], tools=[mcp(server)], previous_response_id=first.id
    )
    assert kinds(second) == ["mcp_call", "message"]
    assert second.output[0].approval_request_id == request.id
    assert second.output_text == "Berth 7 is booked for Pourquoi-Pas."
    third = v1_client.responses.create(
        model="echo", input="Thank you", tools=[mcp(server)], previous_response_id=second.id
    )
    assert kinds(third) == ["message"]
    assert server.asked("tools/call") == calls + 1


def test_a_call_that_is_not_approved_is_told_to_the_model(v1_client: openai.OpenAI, server: Harbour):
    calls = server.asked("tools/call")
    first = v1_client.responses.create(model="echo", input=BERTH, tools=[mcp(server)])
    answer = {
        "type": "mcp_approval_response",
        "approval_request_id": first.output[1].id,
        "approve": False,
        "reason": "It is full.",
    }
    second = v1_client.responses.create(
        model="echo", input=[answer], tools=[mcp(server)], previous_response_id=first.id
    )
    assert kinds(second) == ["message"]
    assert "It is full." in second.output_text
    assert server.asked("tools/call") == calls


def test_an_approval_of_nothing_is_refused(v1_client: openai.OpenAI, server: Harbour):
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    with pytest.raises(openai.BadRequestError) as refused:
        v1_client.responses.create(model="echo", input=[answer], tools=[mcp(server)])
    assert refused.value.body["param"] == "input[0].approval_request_id"


def test_a_tool_that_must_be_called_is_called(v1_client: openai.OpenAI, server: Harbour):
    choice = {"type": "mcp", "server_label": "harbour", "name": "count"}
    response = v1_client.responses.create(
        model="echo", input="Hello", tools=[mcp(server, require_approval="never")], tool_choice=choice
    )
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "message"]
    assert response.output[1].name == "count"


def test_the_model_goes_on_without_a_server_that_is_not_there(v1_client: openai.OpenAI, unused_tcp_port: int):
    tool = {"type": "mcp", "server_label": "harbour", "server_url": f"http://127.0.0.1:{unused_tcp_port}/mcp"}
    response = v1_client.responses.create(model="echo", input="Hello", tools=[tool])
    assert kinds(response) == ["mcp_list_tools", "message"]
    assert "cannot be reached" in response.output[0].error
    assert (response.status, response.output_text) == ("completed", "Hello")


def test_two_servers_with_the_same_tools_are_told_apart(v1_client: openai.OpenAI, server: Harbour):
    with harbour("sse") as other:
        tools = [
            mcp(server, require_approval="never", allowed_tools=["tide"]),
            {**mcp(other, require_approval="never", allowed_tools=["tide"]), "server_label": "other"},
        ]
        response = v1_client.responses.create(model="echo", input='call other_tide {"port": "Nice"}', tools=tools)
        assert kinds(response) == ["mcp_list_tools", "mcp_list_tools", "mcp_call", "message"]
        assert (response.output[2].server_label, response.output[2].name) == ("other", "tide")
        assert other.asked("tools/call") == 1
