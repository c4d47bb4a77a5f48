"""The channel between an API process and a Python worker."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from smalt.core.errors import (
    ApiError,
    ContextLengthExceeded,
    EngineFailed,
    InvalidRequest,
    MissingExtra,
    NotInstalled,
    Unavailable,
    UnsupportedParameter,
)
from smalt.engines.channel import ChannelClient, Handlers, Message, serve_channel
from smalt.engines.failures import describe, revive


async def echo(header: Mapping[str, Any], payload: bytes) -> Message:
    await asyncio.sleep(header.get("seconds", 0))
    return {"said": header["said"]}, payload


async def refuse(header: Mapping[str, Any], payload: bytes) -> Message:
    raise ContextLengthExceeded("Too long.", param="input")


async def fall_over(header: Mapping[str, Any], payload: bytes) -> Message:
    raise ZeroDivisionError("by zero")


class Worker:
    """Handlers, some of which remember that they were stopped."""

    def __init__(self) -> None:
        self.stopped: list[str] = []
        calls = {"echo": echo, "refuse": refuse, "break": fall_over, "wait": self.wait}
        self.handlers = Handlers(calls=calls, streams={"count": self.count})

    async def wait(self, _header: Mapping[str, Any], _payload: bytes) -> Message:
        try:
            await asyncio.sleep(600)
        finally:
            self.stopped.append("wait")
        return {}, b""

    async def count(self, header: Mapping[str, Any], payload: bytes) -> AsyncIterator[Message]:
        try:
            for number in range(header["to"]):
                if number == header.get("break_at"):
                    raise InvalidRequest("That is too far.")
                yield {"number": number}, payload
                await asyncio.sleep(0)
        finally:
            self.stopped.append("count")


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    worker, ready = Worker(), asyncio.Event()
    serving = asyncio.create_task(serve_channel(worker.handlers, str(tmp_path / "s"), lambda _: ready.set()))
    await ready.wait()
    yield worker
    serving.cancel()
    await asyncio.wait([serving])


@pytest.fixture
async def client(worker: Worker, tmp_path: Path) -> AsyncIterator[ChannelClient]:
    client = ChannelClient(str(tmp_path / "s"))
    yield client
    await client.close()
    await asyncio.sleep(0.01)


async def test_a_call_returns_what_the_handler_returns(client: ChannelClient):
    assert await client.call("echo", {"said": "ä"}, b"\x00\xff") == ({"said": "ä"}, b"\x00\xff")


async def test_a_large_payload_arrives_whole(client: ChannelClient):
    payload = bytes(range(256)) * 40_000
    assert (await client.call("echo", {"said": 1}, payload))[1] == payload


async def test_many_calls_share_the_connection_and_overtake_each_other(client: ChannelClient):
    slow = asyncio.create_task(client.call("echo", {"said": "slow", "seconds": 0.2}))
    answers = await asyncio.gather(*(client.call("echo", {"said": number}) for number in range(200)))
    assert [header["said"] for header, _ in answers] == list(range(200))
    assert not slow.done()
    assert (await slow)[0]["said"] == "slow"


async def test_a_refusal_arrives_as_the_same_error(client: ChannelClient):
    with pytest.raises(ContextLengthExceeded, match="Too long") as refusal:
        await client.call("refuse", {})
    assert (refusal.value.param, refusal.value.code) == ("input", "context_length_exceeded")


async def test_any_other_exception_is_an_engine_failure_that_names_it(client: ChannelClient):
    with pytest.raises(EngineFailed, match="ZeroDivisionError: by zero"):
        await client.call("break", {})


async def test_an_unknown_method_is_named(client: ChannelClient):
    with pytest.raises(EngineFailed, match="'dance'"):
        await client.call("dance", {})


async def test_cancelling_a_call_cancels_its_handler(client: ChannelClient, worker: Worker):
    call = asyncio.create_task(client.call("wait", {}))
    await asyncio.sleep(0.05)
    call.cancel()
    await asyncio.sleep(0.05)
    assert worker.stopped == ["wait"]


async def test_closing_the_client_cancels_its_handlers_and_fails_its_calls(client: ChannelClient, worker: Worker):
    call = asyncio.create_task(client.call("wait", {}))
    await asyncio.sleep(0.05)
    await client.close()
    with pytest.raises(EngineFailed):
        await call
    await asyncio.sleep(0.05)
    assert worker.stopped == ["wait"]


async def test_a_stream_yields_its_items_in_order(client: ChannelClient):
    assert [item["number"] async for item, _ in client.stream("count", {"to": 500})] == list(range(500))


async def test_a_stream_gives_what_came_before_its_error(client: ChannelClient):
    stream = client.stream("count", {"to": 5, "break_at": 3})
    assert [(await anext(stream))[0]["number"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(InvalidRequest, match="too far"):
        await anext(stream)


async def test_closing_a_stream_early_stops_its_handler(client: ChannelClient, worker: Worker):
    stream = client.stream("count", {"to": 10**9})
    assert (await anext(stream))[0]["number"] == 0
    await stream.aclose()
    await asyncio.sleep(0.05)
    assert worker.stopped == ["count"]


async def test_a_worker_that_is_not_there_says_that_the_next_request_starts_one(tmp_path: Path):
    with pytest.raises(EngineFailed, match="The next request starts a new worker"):
        await ChannelClient(str(tmp_path / "nobody")).call("echo", {})


@pytest.mark.parametrize(
    "error",
    [
        EngineFailed("It broke."),
        InvalidRequest("Not so.", param="input[1]", code="odd"),
        UnsupportedParameter("logit_bias", "Leave it out."),
        Unavailable("Full.", retry_after=7),
    ],
)
def test_an_error_survives_the_journey(error: ApiError):
    revived = revive(describe(error))
    assert type(revived) is type(error)
    assert vars(revived) == vars(error)
    assert str(revived) == str(error)


def test_a_missing_extra_arrives_as_what_it_means_to_clients():
    assert type(revive(describe(MissingExtra("numpy", extra="local")))) is NotInstalled


def test_an_error_of_an_unknown_kind_is_an_engine_failure():
    assert type(revive({"kind": "Mapping", "message": "?"})) is EngineFailed
