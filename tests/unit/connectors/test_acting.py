"""Doing actions: from values to a result."""

from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from connector_samples import CHAT, CONTENT, ROLE, action_of, connector_of, parameter
from connector_samples import field as returned
from smalt.connectors.acting import act
from smalt.connectors.definitions.vocabulary import Operation
from smalt.connectors.exchange import Answer, OutgoingCall
from smalt.connectors.refusals import NotServed
from smalt.core.errors import InvalidRequest, NotFound

SAID = {"role": "user", "content": "Hi"}
JSON = {"content-type": "application/json"}


@dataclass
class Held:
    """A carrier that answers itself."""

    answer: Any = field(default_factory=dict[str, Any])
    status: int = 200
    sent: list[tuple[OutgoingCall, str | None]] = field(default_factory=list[tuple[OutgoingCall, str | None]])

    async def send(self, call: OutgoingCall, *, idempotency_key: str | None = None) -> Answer:
        self.sent.append((call, idempotency_key))
        return Answer(self.status, JSON, orjson.dumps(self.answer))


def refused(message: str) -> Any:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


async def test_an_action_reads_calls_and_shapes():
    action = replace(CHAT, returns=(returned("first_content", "string", "choices[0].message.content"),))
    carrier = Held({"choices": [{"message": {"content": "Ho"}}]})
    result = await act(connector_of(action), action, {**SAID, "max_tokens": "5"}, carrier, {}, idempotency_key="k")
    assert result["first_content"] == "Ho"
    call, key = carrier.sent[0]
    assert (call.body["max_tokens"], key) == (5, "k")


async def test_a_stream_is_refused_before_anything_is_sent():
    carrier = Held()
    with pytest.raises(InvalidRequest, match="whole") as caught:
        await act(connector_of(CHAT), CHAT, {**SAID, "stream": "true"}, carrier)
    assert caught.value.param == "stream"
    await act(connector_of(CHAT), CHAT, {**SAID, "stream": "false"}, carrier)
    assert len(carrier.sent) == 1


async def test_a_stream_is_refused_wherever_it_is_asked_for():
    custom = action_of(
        parameter("url", place="custom"),
        parameter("method", place="custom"),
        parameter("body", "object", place="custom"),
    )
    events = action_of(
        parameter("stream", "boolean", place="query"),
        operations=(Operation(method="GET", path="/events", body="none"),),
    )
    for action, given in (
        (custom, {"url": "chat/completions", "method": "POST", "body": {"stream": True}}),
        (custom, {"url": "responses/resp_1?stream=false&stream=true", "method": "GET"}),
        (events, {"stream": True}),
    ):
        with pytest.raises(InvalidRequest, match="whole"):
            await act(connector_of(action), action, given, Held())


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "Invalid URL (POST /v1/chat/completions). Nothing is served there."),
        (404, "Resource not found. Invalid URL (POST /openai/deployments/m/chat/completions)."),
        (405, "Not allowed to POST on /v1/chat/completions. Use GET."),
    ],
)
async def test_an_operation_that_the_server_does_not_have_is_told_plainly(status: int, message: str):
    with pytest.raises(NotServed, match="does not serve 'Do it' yet") as caught:
        await act(connector_of(CHAT), CHAT, SAID, Held(refused(message), status))
    assert (caught.value.status, caught.value.code) == (501, "operation_not_served")


async def test_a_search_services_key_that_a_service_repeats_in_an_error_is_masked():
    extras = {"search_endpoint": "https://search.example", "search_api_key": "found-1"}
    with pytest.raises(InvalidRequest, match=r"https://search\.example refuses \*\*\*\.$"):
        await act(connector_of(CHAT), CHAT, SAID, Held(refused("https://search.example refuses found-1."), 400), extras)


async def test_an_object_that_is_not_there_stays_not_found():
    with pytest.raises(NotFound, match="No such model"):
        await act(connector_of(CHAT), CHAT, SAID, Held(refused("No such model"), 404))


async def test_a_limit_shortens_the_result_and_is_not_sent():
    action = action_of(ROLE, CONTENT, parameter("limit", "integer", place="limit", at="data"))
    carrier = Held({"data": [1, 2, 3]})
    assert await act(connector_of(action), action, {**SAID, "limit": 2}, carrier) == {"data": [1, 2]}
    assert set(carrier.sent[0][0].body) == {"messages"}
    assert await act(connector_of(action), action, SAID, carrier) == {"data": [1, 2, 3]}
