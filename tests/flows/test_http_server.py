"""The wire as real clients see it: a listening server, sockets that close, and the SDKs."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pytest
import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel

from smalt.app import create_app
from smalt.core.errors import ContextLengthExceeded, ModelNotFound, Unavailable
from smalt.core.settings import load_settings
from smalt.http.answers import Json
from smalt.http.event_stream import DONE, EventStream, data
from smalt.http.routing import Router
from smalt.models import Models

SOON = 5
"""Seconds; the work that nobody waits for any more would take ten."""


class Body(BaseModel):
    model: str
    stream: bool = False


@dataclass
class Engine:
    """Streams chunks until it is closed; counts the streams that hold one of its slots."""

    busy: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def chunks(self, model: str) -> AsyncGenerator[bytes]:
        self.busy += 1
        try:
            for number in range(3 if model in {"short", "breaks"} else 1000):
                yield data(json.dumps(chunk(str(number))).encode())
                await asyncio.sleep(0.01)
            if model == "breaks":
                raise Unavailable("The worker died.")
            yield DONE
        finally:
            self.busy -= 1
            self.ended.set()

    def router(self) -> Router:
        router = Router()

        @router.post("/chat/completions", operation_id="createChatCompletion", deployment=True, metered=True)
        async def chat(body: Body) -> Response:
            if body.model == "unknown":
                raise ModelNotFound("The model 'unknown' does not exist. There are: long, short.")
            if body.model == "narrow":
                message = "This model's maximum context length is 10 tokens. Your messages have 20. Shorten them."
                raise ContextLengthExceeded(message, param="messages")
            if body.stream:
                return EventStream(self.chunks(body.model))
            self.busy += 1
            self.began.set()
            try:
                await asyncio.sleep(10)
            finally:
                self.busy -= 1
                self.ended.set()
            return Json({})

        return router


def chunk(text: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


@dataclass
class Listening:
    app: FastAPI
    engine: Engine
    port: int
    key: str
    server: uvicorn.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def modern(self, prefix: str = "/v1", **options: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            **{"base_url": f"{self.url}{prefix}", "api_key": self.key, "max_retries": 0, **options}
        )

    def classic(self, **options: Any) -> openai.AsyncAzureOpenAI:
        options = {"api_version": "2024-10-21", "api_key": self.key, "max_retries": 0, **options}
        return openai.AsyncAzureOpenAI(azure_endpoint=self.url, **options)

    async def raw(self, body: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        content = json.dumps(body).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\napi-key: {self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        await writer.drain()
        return reader, writer


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[Listening]:
    engine = Engine()
    settings = load_settings(data_dir=tmp_path, starter=False)
    app = create_app(settings, models=Models(settings), routers=[engine.router()])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        _, secret = await app.state.keys.create("story", "default")
        yield Listening(app, engine, listener.getsockname()[1], secret, server)
        server.should_exit = True
        await task


def messages() -> list[Any]:
    return [{"role": "user", "content": "hi"}]


async def test_a_dropped_connection_frees_the_slot_of_its_stream_before_its_end(listening: Listening) -> None:
    reader, writer = await listening.raw({"model": "long", "stream": True})
    await reader.readuntil(b"data: ")
    assert listening.engine.busy == 1
    left_at = time.monotonic()
    writer.close()
    await listening.engine.ended.wait()
    assert time.monotonic() - left_at < SOON
    assert listening.engine.busy == 0


async def test_a_dropped_connection_cancels_unstreamed_work_before_its_end(listening: Listening) -> None:
    _, writer = await listening.raw({"model": "long"})
    await listening.engine.began.wait()
    left_at = time.monotonic()
    writer.close()
    await listening.engine.ended.wait()
    assert time.monotonic() - left_at < SOON


async def test_an_sdk_that_breaks_off_frees_the_slot(listening: Listening) -> None:
    async with listening.modern() as client:
        stream = await client.chat.completions.create(model="long", messages=messages(), stream=True)
        async for _ in stream:
            break
        await stream.close()
    async with asyncio.timeout(1):
        await listening.engine.ended.wait()


async def test_many_streams_share_one_server_and_none_is_lost(listening: Listening) -> None:
    async with listening.modern() as client:

        async def read() -> str:
            stream = await client.chat.completions.create(model="short", messages=messages(), stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        assert await asyncio.gather(*(read() for _ in range(40))) == ["012"] * 40
    assert listening.engine.busy == 0


async def test_a_stream_that_breaks_raises_in_the_sdk_and_the_next_request_works(listening: Listening) -> None:
    for client in (listening.modern(), listening.modern("/openai/v1"), listening.classic()):
        async with client:
            stream = await client.chat.completions.create(model="breaks", messages=messages(), stream=True)
            with pytest.raises(openai.APIError, match="The worker died"):
                async for _ in stream:
                    pass
            stream = await client.chat.completions.create(model="short", messages=messages(), stream=True)
            assert len([one async for one in stream]) == 3


async def test_the_sdks_raise_what_they_raise_for_the_real_services(listening: Listening) -> None:
    for client in (listening.modern(), listening.modern("/openai/v1"), listening.classic()):
        async with client:
            create = client.chat.completions.create
            with pytest.raises(openai.NotFoundError, match="There are: long, short"):
                await create(model="unknown", messages=messages())
            with pytest.raises(openai.BadRequestError) as caught:
                await create(model="narrow", messages=messages())
            assert caught.value.code == "context_length_exceeded"
            assert caught.value.param == "messages"
            with pytest.raises(openai.AuthenticationError):
                await client.copy(api_key="wrong").chat.completions.create(model="short", messages=messages())


async def test_the_azure_sdk_reaches_the_deployment_of_its_path(listening: Listening) -> None:
    async with listening.classic(azure_deployment="short") as client:
        stream = await client.chat.completions.create(model="anything", messages=messages(), stream=True)
        assert len([one async for one in stream]) == 3
        assert stream.response.headers["x-ms-deployment-name"] == "short"


async def test_a_stopping_server_ends_its_streams_with_an_error_event_and_then_stops(listening: Listening) -> None:
    async with listening.modern() as client:
        stream = await client.chat.completions.create(model="long", messages=messages(), stream=True)
        await anext(aiter(stream))
        listening.app.state.stopping.begin(grace_seconds=0.1)
        listening.server.should_exit = True
        with pytest.raises(openai.APIError, match="server is stopping"):
            async for _ in stream:
                pass
    assert listening.engine.busy == 0


async def test_a_connection_is_kept_for_the_next_request(listening: Listening) -> None:
    reader, writer = await listening.raw({"model": "unknown"})
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()
