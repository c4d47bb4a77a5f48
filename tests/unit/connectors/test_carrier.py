"""Carrying calls over the net: what is sent, what is sent again, and what is not."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest

from cloud_stand_in import BREAK, Pauses, Somewhere, Turns, failed, standing_in, told
from smalt.connectors.carrier import HttpCarrier
from smalt.connectors.exchange import FileValue, OutgoingCall
from smalt.connectors.refusals import Interrupted
from smalt.connectors.retrying import Retries, asked_pause
from smalt.core.errors import InvalidRequest, UpstreamFailed

ASK = OutgoingCall(method="POST", path="/chat/completions", body={"model": "m", "text": "Grüß"})
LIST = OutgoingCall(method="GET", path="/models", query={"after": "a b&c", "in[]": ["x", "y"]})
FAR_OFF = f"Sun, 22 Nov 2026 10:00:00 +{30 * '9'}"
NOWHERE = "http://127.0.0.1:1/v1"


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def unanswering() -> AsyncGenerator[str]:
    """The URL of a server that takes a call and says nothing."""
    held: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in held:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_a_call_is_sent_with_its_credentials(session: aiohttp.ClientSession):
    async with standing_in(told({"a": 1}, 201, X_Own="yes")) as service:
        answer = await HttpCarrier(session, Somewhere(f"{service.url}/v1")).send(ASK)
    assert (answer.status, answer.headers["x-own"], answer.content) == (201, "yes", b'{"a":1}')
    sent = service.received[0]
    assert (sent.method, sent.target) == ("POST", "/v1/chat/completions")
    assert sent.body == '{"model":"m","text":"Grüß"}'.encode()
    assert (sent.headers["content-type"], sent.headers["authorization"]) == ("application/json", "Bearer sk-1")
    assert "idempotency-key" not in sent.headers


async def test_a_query_is_encoded_and_nothing_is_sent_as_a_body(session: aiohttp.ClientSession):
    async with standing_in() as service:
        await HttpCarrier(session, Somewhere(f"{service.url}/v1/")).send(LIST)
    sent = service.received[0]
    assert (sent.target, sent.body) == ("/v1/models?after=a%20b%26c&in%5B%5D=x&in%5B%5D=y", b"")
    assert "content-type" not in sent.headers


async def test_a_form_is_sent_in_parts(session: aiohttp.ClientSession):
    call = OutgoingCall(
        method="POST",
        path="/audio/transcriptions",
        fields=[("model", "whisper-1"), ("timestamp_granularities[]", "word")],
        files=[("file", FileValue('Grüße "1".mp3', b"\r\n\x00--x", "audio/mpeg"))],
        is_form=True,
    )
    async with standing_in() as service:
        await HttpCarrier(session, Somewhere(service.url)).send(call)
    sent = service.received[0]
    assert sent.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert 'name="file"; filename="Grüße %221%22.mp3"'.encode() in sent.body
    assert [content for _, content in sent.parts] == [b"whisper-1", b"word", b"\r\n\x00--x"]
    assert sent.parts[1][0]["Content-Disposition"] == 'form-data; name="timestamp_granularities[]"'
    assert sent.parts[2][0]["Content-Type"] == "audio/mpeg"


async def test_a_form_has_the_same_bytes_whoever_writes_it(session: aiohttp.ClientSession):
    file = FileValue("a.wav", b"sound", "audio/wav")
    call = OutgoingCall(method="POST", path="/x", fields=[("model", "m")], files=[("file", file)], is_form=True)
    other = replace(call, fields=[("model", "n")])
    async with standing_in() as service:
        for each in (call, call, other):
            await HttpCarrier(session, Somewhere(service.url)).send(each)
    first, second, third = (sent.headers["content-type"] for sent in service.received)
    assert service.received[0].body == service.received[1].body
    assert first == second != third


async def test_a_call_that_a_smalt_still_works_on_is_asked_for_again(session: aiohttp.ClientSession, pauses: Pauses):
    busy = told({"error": {"message": "At work.", "code": "idempotency_key_in_use"}}, 409, Retry_After="5")
    async with standing_in(busy, told({}), told({"error": {"code": "conflict"}}, 409)) as service:
        carrier = HttpCarrier(session, Somewhere(service.url, is_smalt=True), sleep=pauses)
        assert (await carrier.send(ASK)).status == 200
        assert (await carrier.send(ASK)).status == 409
    assert len(pauses.seconds) == 1
    assert pauses.seconds[0] >= 5


async def test_a_calls_own_headers_do_not_take_the_place_of_the_credentials(session: aiohttp.ClientSession):
    call = replace(ASK, headers={"x-own": "1", "authorization": "mine", "User-Agent": "my own"})
    async with standing_in() as service:
        await HttpCarrier(session, Somewhere(service.url)).send(call)
    sent = service.received[0].headers
    assert (sent["x-own"], sent["authorization"], sent["user-agent"]) == ("1", "Bearer sk-1", "my own")


async def test_a_redirect_is_not_followed(session: aiohttp.ClientSession):
    async with standing_in(told({}, 307, Location="/elsewhere")) as service:
        assert (await HttpCarrier(session, Somewhere(service.url)).send(ASK)).status == 307
    assert len(service.received) == 1


@pytest.mark.parametrize("status", [401, 400, 404, 501])
async def test_a_refusal_is_the_answer(session: aiohttp.ClientSession, status: int, pauses: Pauses):
    async with standing_in(failed(status)) as service:
        answer = await HttpCarrier(session, Somewhere(service.url), sleep=pauses).send(ASK)
    assert (answer.status, len(service.received), pauses.seconds) == (status, 1, [])


@pytest.mark.parametrize(("status", "said"), [(401, "***"), (200, "sk-1")])
async def test_a_key_that_a_service_repeats_in_an_error_is_masked(
    session: aiohttp.ClientSession, status: int, said: str
):
    async with standing_in(failed(status, "Bad key sk-1. Grüße.")) as service:
        answer = await HttpCarrier(session, Somewhere(service.url)).send(ASK)
    assert answer.content.decode().count(f"Bad key {said}. Grüße.") == 1


async def test_a_quota_that_is_used_up_is_not_waited_for(session: aiohttp.ClientSession, pauses: Pauses):
    reply = told({"error": {"message": "Pay.", "type": "insufficient_quota", "code": "insufficient_quota"}}, 429)
    async with standing_in(reply) as service:
        answer = await HttpCarrier(session, Somewhere(service.url), sleep=pauses).send(ASK)
    assert (answer.status, len(service.received)) == (429, 1)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_failure_that_may_pass_is_tried_again_the_same_way(
    session: aiohttp.ClientSession, status: int, pauses: Pauses
):
    turns = Turns()
    async with standing_in(failed(status), failed(status), told({"a": 1})) as service:
        answer = await HttpCarrier(session, Somewhere(service.url), turns, sleep=pauses).send(ASK)
    assert answer.status == 200
    assert len({(sent.method, sent.target, sent.body) for sent in service.received}) == 1
    assert turns.taken == len(service.received) == 3
    assert 0 <= pauses.seconds[0] <= 1
    assert 0 <= pauses.seconds[1] <= 2


async def test_attempts_come_to_an_end(session: aiohttp.ClientSession, pauses: Pauses):
    policy = Retries(attempts=3)
    async with standing_in(answer=lambda _: failed(503, "Busy.")) as service:
        answer = await HttpCarrier(session, Somewhere(service.url), None, policy, sleep=pauses).send(ASK)
    assert (answer.status, len(service.received), len(pauses.seconds)) == (503, 3, 2)


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"Retry_After": "9"}, 9),
        ({"Retry_After": "1", "retry_after_ms": "250"}, 0.25),
        ({"Retry_After": "Sun, 22 Nov 2026 10:00:30 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 30),
    ],
)
async def test_a_service_that_asks_for_a_pause_gets_it(
    session: aiohttp.ClientSession, pauses: Pauses, headers: dict[str, str], asked: float
):
    async with standing_in(failed(429, **headers), told({})) as service:
        assert (await HttpCarrier(session, Somewhere(service.url), sleep=pauses).send(ASK)).status == 200
    assert asked <= pauses.seconds[0] <= asked + max(1, asked) * 0.1


async def test_a_pause_without_end_is_not_waited_for(session: aiohttp.ClientSession, pauses: Pauses):
    async with standing_in(failed(429, Retry_After="86400")) as service:
        answer = await HttpCarrier(session, Somewhere(service.url), sleep=pauses).send(ASK)
    assert (answer.status, len(service.received), pauses.seconds) == (429, 1, [])


@pytest.mark.parametrize("told_pause", ["soon", "", "nan", "inf", "-", "Sun, 99 Nov", FAR_OFF])
def test_what_is_no_pause_is_none(told_pause: str):
    assert asked_pause({"retry-after": told_pause, "retry-after-ms": told_pause}) is None


def test_a_moment_is_counted_from_now_where_the_service_does_not_tell_the_time():
    moment = datetime.now(UTC) + timedelta(seconds=100)
    assert 90 < (asked_pause({"retry-after": format_datetime(moment, usegmt=True)}) or 0) <= 100
    assert asked_pause({"retry-after": format_datetime(moment - timedelta(hours=1), usegmt=True)}) == 0


async def test_a_server_that_is_not_there_is_tried_again_because_nothing_was_sent(
    session: aiohttp.ClientSession, pauses: Pauses
):
    with pytest.raises(UpstreamFailed, match=r"127\.0\.0\.1:1 cannot be reached"):
        await HttpCarrier(session, Somewhere(NOWHERE), None, Retries(attempts=3), sleep=pauses).send(ASK)
    assert len(pauses.seconds) == 2


async def test_a_call_that_was_sent_to_a_cloud_is_not_repeated_when_the_connection_breaks(
    session: aiohttp.ClientSession, pauses: Pauses
):
    async with standing_in(BREAK) as service:
        with pytest.raises(Interrupted, match="paid") as caught:
            await HttpCarrier(session, Somewhere(service.url), sleep=pauses).send(ASK)
    assert (caught.value.code, len(service.received), pauses.seconds) == ("interrupted", 1, [])


async def test_a_question_that_changes_nothing_is_asked_again_when_the_connection_breaks(
    session: aiohttp.ClientSession, pauses: Pauses
):
    turns = Turns()
    async with standing_in(BREAK, BREAK, told({})) as service:
        assert (await HttpCarrier(session, Somewhere(service.url), turns, sleep=pauses).send(LIST)).status == 200
    assert turns.taken == len(service.received) == 3


@pytest.mark.parametrize("given", ["row-1", None])
async def test_a_smalt_knows_a_repeated_call_by_its_key(
    session: aiohttp.ClientSession, pauses: Pauses, given: str | None
):
    async with standing_in(BREAK, failed(503), told({})) as service:
        target = Somewhere(service.url, is_smalt=True)
        answer = await HttpCarrier(session, target, sleep=pauses).send(ASK, idempotency_key=given)
    assert (answer.status, len(service.received)) == (200, 3)
    keys = {sent.headers["idempotency-key"] for sent in service.received}
    assert len(keys) == 1
    assert given is None or keys == {given}


async def test_deletions_are_not_repeated_when_the_connection_breaks(session: aiohttp.ClientSession, pauses: Pauses):
    async with standing_in(BREAK) as service:
        carrier = HttpCarrier(session, Somewhere(service.url, is_smalt=True), sleep=pauses)
        with pytest.raises(Interrupted):
            await carrier.send(OutgoingCall(method="DELETE", path="/files/f"))
    assert [sent.method for sent in service.received] == ["DELETE"]


async def test_a_silent_service_is_given_up(session: aiohttp.ClientSession, pauses: Pauses, unanswering: str):
    policy = Retries(timeout_seconds=0.05)
    with pytest.raises(Interrupted):
        await HttpCarrier(session, Somewhere(unanswering), None, policy, sleep=pauses).send(ASK)


async def test_values_that_json_cannot_hold_are_refused(session: aiohttp.ClientSession):
    call: Any = OutgoingCall(method="POST", path="/x", body={"n": 2**70})
    with pytest.raises(InvalidRequest):
        await HttpCarrier(session, Somewhere(NOWHERE)).send(call)
