"""Every action of every connector, over the wire: what the clouds are sent, byte for byte, and what comes of it."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import orjson
import pytest

from cloud_answers import cloud_answer
from cloud_stand_in import BREAK, Pauses, Received, Somewhere, StandIn, failed, standing_in, told
from connector_samples import SAMPLES
from documented_types import check_types
from smalt import __version__
from smalt.connectors.acting import act
from smalt.connectors.calls import make_call
from smalt.connectors.carrier import HttpCarrier
from smalt.connectors.connections.target import Target, connected_target
from smalt.connectors.definitions.registry import action, connector, connectors
from smalt.connectors.definitions.vocabulary import Action, Connector, Operation, Parameter
from smalt.connectors.exchange import FileValue
from smalt.connectors.refusals import Interrupted, NotServed
from smalt.connectors.values import read_values
from smalt.core.errors import AuthenticationFailed, InvalidRequest, RateLimited
from wire_case import Case
from wire_cases import CASES

FIELDS = {
    "api_key": "Bearer sk-1",
    "resource_name": "my-resource",
    "search_endpoint": "https://docs.search.windows.net",
    "search_api_key": "search-key",
    "organization_id": "org-1",
    "connection_name": "Mine",
}
CREDENTIALS = {
    "openai-gpt": {"authorization": "Bearer sk-1"},
    "azure-openai": {"api-key": "sk-1"},
    "azure-openai-preview": {"api-key": "sk-1"},
    "fusion-openai": {"authorization": "Bearer sk-1", "openai-organization": "org-1"},
}
ASK = {"model": "m", "role": "user", "content": "Hi"}


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


def target_at(url: str, asked: Connector) -> Target:
    """The connector's own kind of connection, at the stand-in instead of the cloud."""
    kind = next(kind for kind in asked.connections if not kind.token_scope)
    values = {**FIELDS, "api_key": "sk-1"} if asked.name.startswith("azure") else FIELDS
    values = {field.key: values[field.key] for field in kind.fields}
    return connected_target(asked, kind, values, base_url=url, is_smalt=False, connection_id="c")


async def done(session: aiohttp.ClientSession, service: StandIn, case: Case) -> dict[str, Any]:
    asked = connector(case.connector)
    target = target_at(service.url, asked)
    return await act(asked, action(asked, case.action), case.given, HttpCarrier(session, target), target.extras)


def check_headers(sent: Received, case: Case, url: str) -> None:
    expected = {
        "host": url.removeprefix("http://"),
        "user-agent": f"smalt/{__version__}",
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        **CREDENTIALS[case.connector],
        **case.headers,
    }
    if case.json is not None:
        expected["content-type"] = "application/json"
    if case.parts:
        expected["content-type"] = sent.headers["content-type"]
    if sent.method != "GET":
        expected["content-length"] = str(len(sent.body))
    assert sent.headers == expected


def expected_form(case: Case, content_type: str) -> bytes:
    """The bytes of the form, written as RFC 7578 has them."""
    boundary = content_type.removeprefix("multipart/form-data; boundary=").encode()
    body = b""
    for name, value in case.parts:
        body += b"--" + boundary + f'\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if isinstance(value, FileValue):
            body += f'; filename="{value.name}"\r\nContent-Type: {value.content_type}\r\n\r\n'.encode() + value.content
        else:
            body += b"\r\n\r\n" + value.encode()
        body += b"\r\n"
    return body + b"--" + boundary + b"--\r\n"


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_cloud_is_sent_what_the_document_describes(session: aiohttp.ClientSession, case: Case):
    async with standing_in(answer=cloud_answer) as service:
        result = await done(session, service, case)
    [sent] = service.received
    assert (sent.method, sent.target) == (case.method, case.target)
    check_headers(sent, case, service.url)
    if case.parts:
        assert sent.body == expected_form(case, sent.headers["content-type"])
    else:
        assert sent.body == (b"" if case.json is None else orjson.dumps(case.json))
    assert {name: result[name] for name in case.result} == case.result
    check_types(action(connector(case.connector), case.action), result)


def test_no_action_and_no_operation_is_left_out():
    cases = {(case.connector, case.action, case.given.get("operation", "")) for case in CASES}
    there = {
        (each.name, act_of.name, operation.name if len(act_of.operations) > 1 else "")
        for each in connectors()
        for act_of in each.actions
        for operation in act_of.operations
    }
    assert cases == there


def test_every_parameter_of_the_documents_that_list_them_is_sent_somewhere():
    given = {(case.connector, case.action): set[str]() for case in CASES}
    for case in CASES:
        given[case.connector, case.action] |= set(case.given)
    for each in connectors():
        for asked in each.actions:
            wanted = {p.name for p in asked.parameters if not p.is_advanced and p.name != "stream"}
            assert wanted - given[each.name, asked.name] <= SAMPLED, asked.name


SAMPLED = {"top_p", "stop", "max_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "user"}
"""What one action's case shows for the others that have the same."""


def sampled(asked: Action, operation: Operation) -> dict[str, Any]:
    def value(parameter: Parameter) -> Any:
        if parameter.place == "selector":
            return operation.name
        if parameter.key in {"url", "method"} and parameter.place == "custom":
            return {"url": "models", "method": "GET"}[parameter.key]
        return "2" if parameter.sent_as == "integer" else SAMPLES[parameter.type]

    mine = (p for p in asked.parameters if not p.operations or operation.name in p.operations)
    return {parameter.name: value(parameter) for parameter in mine}


@pytest.mark.parametrize(
    ("asked", "does", "operation"),
    [
        pytest.param(each, does, operation, id=f"{each.name} {does.name} {operation.name}")
        for each in connectors()
        for does in each.actions
        for operation in does.operations
    ],
)
def test_every_action_can_be_called_with_all_of_its_parameters(asked: Connector, does: Action, operation: Operation):
    values = read_values(does, sampled(does, operation))
    chosen, call = make_call(asked, does, values)
    assert chosen == operation
    assert "{" not in call.path
    placed = {p.name for p in does.parameters if p.name in values and p.place == "body"}
    sent = len(leaves(call.body)) if not call.is_form else len({name for name, _ in (*call.fields, *call.files)})
    assert sent >= len(placed)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict) and value:
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return leaves(value[0])
    return [] if value is None else [value]


CHAT = next(case for case in CASES if case.action == "get_chat_completions")
AZURE_CHAT = next(case for case in CASES if case.action == "create_chat_completion" and len(case.given) == 4)


async def asked_with(session: aiohttp.ClientSession, case: Case, *replies: Any) -> tuple[Any, StandIn, Pauses]:
    asked, pauses = connector(case.connector), Pauses()
    async with standing_in(*replies, answer=cloud_answer) as service:
        carrier = HttpCarrier(session, target_at(service.url, asked), sleep=pauses)
        try:
            result: Any = await act(asked, action(asked, case.action), case.given, carrier)
        except (AuthenticationFailed, InvalidRequest, RateLimited, Interrupted, NotServed) as error:
            result = error
    return result, service, pauses


@pytest.mark.parametrize("case", [CHAT, AZURE_CHAT], ids=str)
async def test_a_wrong_key_is_told_in_the_services_words(session: aiohttp.ClientSession, case: Case):
    said = "Access denied due to invalid subscription key or wrong API endpoint."
    error, service, _ = await asked_with(session, case, told({"error": {"code": "401", "message": said}}, 401))
    assert isinstance(error, AuthenticationFailed)
    assert (error.status, error.code, error.message) == (401, "401", said)
    assert len(service.received) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry_After": "2"},
        {"Retry_After": "1", "Retry_After_Ms": "2000"},
        {"Retry_After": "Sun, 22 Nov 2026 10:00:02 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"},
    ],
)
@pytest.mark.parametrize("case", [CHAT, AZURE_CHAT], ids=str)
async def test_too_many_calls_wait_as_long_as_the_service_asks(
    session: aiohttp.ClientSession, case: Case, headers: dict[str, str]
):
    limit = told({"error": {"code": "429", "message": "Please retry after 2 seconds."}}, 429, **headers)
    result, service, pauses = await asked_with(session, case, limit)
    assert result["choices"]
    assert service.received[0].body == service.received[1].body
    assert 2 <= pauses.seconds[0] < 3


async def test_a_failed_server_is_asked_again(session: aiohttp.ClientSession):
    result, service, pauses = await asked_with(session, CHAT, failed(500, "The server had an error."))
    assert result["first_content"] == "Hi"
    assert (len(service.received), len(pauses.seconds)) == (2, 1)


async def test_a_connection_that_breaks_after_the_call_was_sent_leaves_it_open(session: aiohttp.ClientSession):
    error, service, _ = await asked_with(session, CHAT, BREAK)
    assert isinstance(error, Interrupted)
    assert len(service.received) == 1


async def test_a_connection_that_breaks_before_anything_was_sent_is_made_again(session: aiohttp.ClientSession):
    asked = connector("openai-gpt")
    async with standing_in(answer=cloud_answer) as service:
        target = Somewhere("http://127.0.0.1:1/v1")

        async def comes_up(_: float) -> None:
            target.base_url = f"{service.url}/v1"

        carrier = HttpCarrier(session, target, sleep=comes_up)
        result = await act(asked, action(asked, "get_chat_completions"), ASK, carrier)
    assert result["first_content"] == "Hi"


async def test_a_filtered_prompt_is_told_as_such(session: aiohttp.ClientSession):
    fault = {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
    }
    error, _, _ = await asked_with(session, AZURE_CHAT, told({"error": fault}, 400))
    assert isinstance(error, InvalidRequest)
    assert (error.code, error.param, error.message) == ("content_filter", "prompt", fault["message"])


async def test_an_operation_that_a_service_has_no_more_is_told_as_such(session: aiohttp.ClientSession):
    gone = told({"error": {"message": "Invalid URL (POST /v1/edits)", "type": "invalid_request_error"}}, 404)
    edit = next(case for case in CASES if case.action == "edit_prompt")
    error, _, _ = await asked_with(session, edit, gone)
    assert isinstance(error, NotServed)
