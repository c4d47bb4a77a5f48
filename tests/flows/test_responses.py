"""Responses through the SDK, on every mount, over the echo engine."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from serving import Served, serving
from smalt.core.settings import DeploymentSettings, LimitSettings, Settings
from smalt.schemas.vocabulary import check_answer

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
MOUNTS = {"/v1": "", "/openai/v1": "", "/openai": "?api-version=2025-04-01-preview"}


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def brisk_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose echo takes a second for its fifty words, and whose requests may take five."""
    data_dir = tmp_path_factory.mktemp("brisk")
    deployments = {
        "brisk": DeploymentSettings(engine="echo", options={"delay_seconds": 0.02, "tokens": 50}),
        "endless": DeploymentSettings(engine="echo", options={"delay_seconds": 0.1, "tokens": 1000}),
    }
    limits = LimitSettings(request_timeout_seconds=5)
    with serving(Settings(data_dir=data_dir, starter=False, deployments=deployments, limits=limits)) as served:
        yield served


def respond(client: openai.OpenAI, **fields: Any) -> Any:
    return client.responses.create(**{"model": "echo", "input": "Hello there, friend", **fields})


def raw(served: Served, path: str, body: dict[str, Any], version: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {served.key}", "api-key": served.key}
    return httpx.post(f"{served.url}{path}/responses{version}", json={"model": "echo", **body}, headers=headers)


def events_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The events of a stream; each says its type twice."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    events: list[dict[str, Any]] = []
    for block in answer.text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def finished(client: openai.OpenAI, response_id: str, seconds: float = 10) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        response = client.responses.retrieve(response_id)
        if response.status != "in_progress":
            return response
        time.sleep(0.05)
    raise TimeoutError(response_id)


@pytest.mark.parametrize("model", ["echo", "far"])
def test_a_request_is_answered(client: openai.OpenAI, model: str):
    response = respond(client, model=model)
    assert response.output_text == "Hello there, friend"
    assert (response.status, response.error, response.incomplete_details) == ("completed", None, None)
    assert response.usage.total_tokens == 6
    assert response.id.startswith("resp_")
    assert response.output[0].id.startswith("msg_" + response.id[5:23])


@pytest.mark.parametrize("model", ["echo", "far"])
def test_a_stream_spells_out_the_stored_object(client: openai.OpenAI, model: str):
    with client.responses.stream(model=model, input="Hello there, friend") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == final.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    stored = client.responses.retrieve(final.id)
    assert stored.output_text == final.output_text == "Hello there, friend"
    assert stored.to_dict() == events[-1].response.to_dict() | {"output": stored.to_dict()["output"]}


@pytest.mark.parametrize("path", MOUNTS)
def test_what_goes_over_the_wire_is_as_the_reference_has_it(echo_server: Served, path: str):
    asked = {"input": "call get_weather {}", "tools": [WEATHER], "reasoning": {"effort": "low"}}
    whole = raw(echo_server, path, asked, MOUNTS[path])
    check_answer("AzureResponse", whole.json())
    streamed = raw(echo_server, path, {**asked, "stream": True}, MOUNTS[path])
    assert "[DONE]" not in streamed.text
    for event in events_of(streamed):
        check_answer("ResponseStreamEvent", event)


def test_each_mount_calls_events_as_its_own_service_does(echo_server: Served):
    asked = {"input": "Hello", "reasoning": {"effort": "low"}, "stream": True}
    new, old = ({event["type"] for event in events_of(raw(echo_server, path, asked))} for path in ("/v1", "/openai/v1"))
    assert new - old == {"response.reasoning_text.delta", "response.reasoning_text.done"}
    assert old - new == {"response.reasoning.delta", "response.reasoning.done"}


def test_deltas_are_padded_unless_that_is_not_wanted(echo_server: Served):
    asked = {"input": "Hello there", "stream": True}
    plain = {**asked, "stream_options": {"include_obfuscation": False}}
    padded, bare = (
        [event for event in events_of(raw(echo_server, "/v1", body)) if event["type"].endswith(".delta")]
        for body in (asked, plain)
    )
    assert all("obfuscation" in event for event in padded)
    assert not any("obfuscation" in event for event in bare)


def test_a_response_goes_on_from_the_one_before(client: openai.OpenAI):
    first = respond(client, input="My name is Ada.", instructions="Be brief.")
    second = respond(client, input="And yours?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.instructions is None
    # The echo counts what it is told: the words of the first exchange, of which it said half, are among them.
    assert second.usage.input_tokens == 4 + 4 + 2
    told = client.responses.input_items.list(second.id, order="asc").data
    assert [(item.role, item.content[0].text) for item in told] == [
        ("user", "My name is Ada."),
        ("assistant", "My name is Ada."),
        ("user", "And yours?"),
    ]


def test_a_function_is_called_and_its_output_answered(client: openai.OpenAI):
    asked = respond(client, input='call get_weather {"city": "Oslo"}', tools=[WEATHER])
    (call,) = asked.output
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", {"city": "Oslo"})
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}
    assert respond(client, previous_response_id=asked.id, input=[output], tools=[WEATHER]).output_text == "Rain."


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "get_weather"}])
def test_a_forced_tool_is_called_with_valid_arguments(client: openai.OpenAI, choice: Any):
    (call,) = respond(client, tools=[WEATHER], tool_choice=choice).output
    assert isinstance(json.loads(call.arguments)["city"], str)


def test_an_answer_has_the_form_that_was_asked_for(client: openai.OpenAI):
    parsed = client.responses.parse(model="echo", input="Hello", text_format=Person).output_parsed
    assert isinstance(parsed, Person)


def test_thoughts_are_items_and_their_summary_is_told_on_request(client: openai.OpenAI):
    thought, message = respond(client, reasoning={"effort": "low"}).output
    assert (thought.type, thought.summary, message.type) == ("reasoning", [], "message")
    thought, _ = respond(client, reasoning={"effort": "low", "summary": "auto"}).output
    assert thought.summary[0].text == "The last message is to be said again."


def test_log_probabilities_are_shown_when_they_are_asked_for(client: openai.OpenAI):
    asked = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    shown = respond(client, **asked).output[0].content[0].logprobs
    assert "".join(one.token for one in shown) == "Hello there, friend"
    assert shown[0].top_logprobs[0].token == "Hello"
    assert respond(client).output[0].content[0].logprobs == []


def test_an_answer_that_is_too_long_is_incomplete(client: openai.OpenAI):
    response = respond(client, input="word " * 40, max_output_tokens=16)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert client.responses.retrieve(response.id).status == "incomplete"


def test_metadata_and_user_come_back(client: openai.OpenAI):
    response = respond(client, metadata={"color": "red"}, user="ada")
    assert (response.metadata, response.user) == ({"color": "red"}, "ada")


def test_what_is_not_stored_is_not_found(client: openai.OpenAI):
    response = respond(client, store=False)
    assert response.output_text == "Hello there, friend"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_an_unknown_model_is_refused_as_the_service_does(client: openai.OpenAI):
    with pytest.raises(openai.APIStatusError) as refused:
        respond(client, model="nobody")
    is_azure = "/openai" in str(client.base_url)
    assert refused.value.status_code == (404 if is_azure else 400)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_fails_at_once_is_a_real_status(client: openai.OpenAI, stream: bool):
    with pytest.raises(openai.InternalServerError):
        respond(client, model="broken", stream=stream)


@pytest.mark.parametrize("stream", [False, True])
def test_what_does_not_fit_is_refused_by_the_name_of_the_field(client: openai.OpenAI, stream: bool):
    with pytest.raises(openai.BadRequestError) as refused:
        respond(client, model="short", input="one two three four five six seven eight nine ten", stream=stream)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input")


def test_the_oldest_is_left_out_when_that_is_allowed(client: openai.OpenAI):
    messages = [{"role": "user", "content": f"words number {number}"} for number in range(4)]
    response = respond(client, model="short", input=messages, truncation="auto")
    assert response.output_text
    assert "words number 3".startswith(response.output_text)
    assert response.usage.input_tokens < 8


def test_a_model_that_fails_half_way_is_a_failed_response(client: openai.OpenAI):
    events = list(respond(client, model="fragile", stream=True))
    assert [event.type for event in events[-2:]] == ["error", "response.failed"]
    failed = client.responses.retrieve(events[-1].response.id)
    assert (failed.status, failed.error.code) == ("failed", "server_error")
    assert failed.output[0].status == "incomplete"
    assert respond(client, model="fragile").status == "failed"


def brisk_client(served: Served, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0, **options)


def test_a_stored_response_is_made_to_its_end_when_its_reader_leaves(brisk_server: Served):
    with brisk_client(brisk_server) as client:
        stream = respond(client, model="brisk", stream=True)
        begun = next(iter(stream))
        stream.close()
        response = finished(client, begun.response.id)
    assert response.status == "completed"
    assert response.usage.output_tokens == 50


def test_a_stored_response_is_made_to_its_end_when_nobody_waits_for_it(brisk_server: Served):
    with brisk_client(brisk_server) as client:
        marked = respond(client, model="brisk", input="the one before")
        with pytest.raises(openai.APITimeoutError):
            respond(client, model="brisk", previous_response_id=marked.id, timeout=0.3)
        page = brisk_server.app.state.rooms.runs.response_ids
        (waiting,) = page
        assert finished(client, waiting).previous_response_id == marked.id


def test_a_response_that_takes_too_long_fails_in_its_own_words(brisk_server: Served):
    with brisk_client(brisk_server) as client:
        events = list(respond(client, model="endless", stream=True))
        assert [event.type for event in events[-2:]] == ["error", "response.failed"]
        assert client.responses.retrieve(events[-1].response.id).status == "failed"


def test_a_stopping_server_ends_its_responses_as_failed(tmp_path: Path):
    deployments = {"endless": DeploymentSettings(engine="echo", options={"delay_seconds": 0.1, "tokens": 1000})}
    settings = Settings(data_dir=tmp_path, starter=False, deployments=deployments)
    with serving(settings) as served, brisk_client(served) as client:
        stream = respond(client, model="endless", stream=True)
        begun = next(iter(stream)).response.id
        stream.close()
    with serving(settings) as served, brisk_client(served) as client:
        stopped = client.responses.retrieve(begun)
    assert (stopped.status, stopped.output[0].status) == ("failed", "incomplete")
