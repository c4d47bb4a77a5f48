import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import orjson
import pytest
from fastapi import Response

from smalt.core.errors import InvalidRequest, Unavailable
from smalt.http.event_stream import DONE, EventStream, data, event
from smalt.http.routing import Router


class Stage:
    """Streams that tests steer: how each ends, and whether it was closed."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.go_on = asyncio.Event()

    def router(self, ending: Exception | None = None, beginning: Exception | None = None) -> Router:
        router = Router()

        async def chunks() -> AsyncGenerator[bytes]:
            try:
                if beginning:
                    raise beginning
                yield data(b'{"n":1}')
                await self.go_on.wait()
                if ending:
                    raise ending
                yield data(b'{"n":2}')
                yield DONE
            finally:
                self.closed.set()

        @router.post("/stream")
        async def stream() -> Response:
            return EventStream(chunks())

        return router


async def test_a_stream_is_its_chunks_byte_by_byte(run) -> None:
    stage = Stage()
    stage.go_on.set()
    running = await run(stage.router())
    response = await running.client.post("/openai/v1/stream")
    assert response.content == b'data: {"n":1}\n\ndata: {"n":2}\n\ndata: [DONE]\n\n'
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-accel-buffering"] == "no"


async def test_each_chunk_is_sent_before_the_next_is_made(run) -> None:
    stage = Stage()
    running = await run(stage.router())
    exchange = running.by_hand("/v1/stream")
    task = exchange.start(running.app)
    while len(exchange.sent) < 2:  # noqa: ASYNC110 - every step of the loop is looked at
        await asyncio.sleep(0)
    assert exchange.text == 'data: {"n":1}\n\n'
    stage.go_on.set()
    await task
    assert exchange.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_stream_that_fails_to_begin_has_a_real_status(run) -> None:
    running = await run(Stage().router(beginning=InvalidRequest("no such thing", code="nothing")))
    response = await running.client.post("/v1/stream")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "nothing")


async def test_a_later_failure_is_the_last_event_and_no_done_follows(run) -> None:
    stage = Stage()
    stage.go_on.set()
    running = await run(stage.router(ending=Unavailable("the worker died")))
    response = await running.client.post("/v1/stream")
    assert response.status_code == 200
    last = response.text.strip().split("\n\n")[-1]
    assert orjson.loads(last.removeprefix("data: "))["error"]["message"] == "the worker died"
    assert "[DONE]" not in response.text


async def test_an_unforeseen_later_failure_is_logged_and_told_without_its_words(
    run, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage()
    stage.go_on.set()
    running = await run(stage.router(ending=ZeroDivisionError("inside")))
    with caplog.at_level(logging.ERROR):
        response = await running.client.post("/v1/stream")
    assert "inside" not in response.text
    assert response.headers["x-request-id"] in response.text
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_a_client_that_goes_away_closes_the_stream_at_once(run) -> None:
    stage = Stage()
    running = await run(stage.router())
    exchange = running.by_hand("/v1/stream")
    task = exchange.start(running.app)
    await exchange.heard.wait()
    exchange.gone.set()
    async with asyncio.timeout(0.5):
        await stage.closed.wait()
        await task


async def test_a_client_that_goes_away_before_the_first_chunk_closes_the_stream(run) -> None:
    closed = asyncio.Event()
    router = Router()

    async def never() -> AsyncGenerator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            closed.set()

    @router.post("/stream")
    async def stream() -> Response:
        return EventStream(never())

    running = await run(router)
    exchange = running.by_hand("/v1/stream")
    task = exchange.start(running.app)
    await asyncio.sleep(0.02)
    exchange.gone.set()
    async with asyncio.timeout(0.5):
        await closed.wait()
        await task


async def test_a_stream_past_its_time_ends_with_an_error_event(run) -> None:
    stage = Stage()
    running = await run(stage.router(), limits={"request_timeout_seconds": 0.2})
    response = await running.client.post("/v1/stream")
    assert response.status_code == 200
    assert "limits.request_timeout_seconds" in response.text
    assert stage.closed.is_set()


async def test_a_stopping_server_ends_streams_with_an_error_event(run) -> None:
    stage = Stage()
    running = await run(stage.router())
    exchange = running.by_hand("/v1/stream")
    task = exchange.start(running.app)
    await exchange.heard.wait()
    running.app.state.stopping.begin(grace_seconds=0.05)
    async with asyncio.timeout(1):
        await task
    assert "The server is stopping" in exchange.text
    assert stage.closed.is_set()


async def test_a_stream_that_ends_within_the_grace_is_whole(run) -> None:
    stage = Stage()
    running = await run(stage.router())
    exchange = running.by_hand("/v1/stream")
    task = exchange.start(running.app)
    await exchange.heard.wait()
    running.app.state.stopping.begin(grace_seconds=5)
    stage.go_on.set()
    await task
    assert exchange.text.endswith("data: [DONE]\n\n")


async def test_an_iterator_that_cannot_be_closed_is_served_too(run) -> None:
    class Two:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return data(b"{}")

    router = Router()

    @router.post("/stream")
    async def stream() -> Response:
        return EventStream(Two())

    running = await run(router)
    assert (await running.client.post("/v1/stream")).text == "data: {}\n\n" * 2


async def test_an_empty_stream_is_an_empty_answer(run) -> None:
    router = Router()

    async def nothing() -> AsyncGenerator[bytes]:
        return
        yield b""

    @router.post("/stream")
    async def stream() -> Response:
        return EventStream(nothing())

    running = await run(router)
    response = await running.client.post("/v1/stream")
    assert (response.status_code, response.content) == (200, b"")


async def test_a_stream_may_tell_its_failure_in_its_own_way(run) -> None:
    router = Router()

    async def chunks() -> AsyncGenerator[bytes]:
        yield event("response.created", b"{}")
        raise Unavailable("gone")

    @router.post("/stream")
    async def stream() -> Response:
        return EventStream(chunks(), failure=lambda body: event("error", body))

    running = await run(router)
    assert "event: error\ndata: {" in (await running.client.post("/v1/stream")).text
