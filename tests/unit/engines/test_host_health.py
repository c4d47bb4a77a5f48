"""How the engine host asks a worker whether it is well."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smalt.engines.channel import Handlers, serve_channel
from smalt.engines.host.health import is_listening, is_well


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "s")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if await reader.readline() == b"GET /health HTTP/1.1\r\n":
        writer.write(b"HTTP/1.1 503 Loading\r\n\r\n")
    await reader.read()
    writer.close()


@pytest.fixture
async def http_server(path: str) -> AsyncIterator[None]:
    server = await asyncio.start_unix_server(answer, path)
    yield
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.01)


async def test_any_status_is_an_answer(http_server: None, path: str):
    assert await is_well(path, {"health": "/health"}, 1.0)


async def test_silence_is_none(http_server: None, path: str):
    assert not await is_well(path, {"health": "/elsewhere"}, 0.1)


async def test_a_channel_answers_a_ping(path: str):
    ready = asyncio.Event()
    serving = asyncio.create_task(serve_channel(Handlers(), path, lambda _: ready.set()))
    await ready.wait()
    assert await is_well(path, {"health": "channel"}, 1.0)
    serving.cancel()
    await asyncio.wait([serving])


async def test_a_worker_without_a_health_path_need_only_listen(path: str):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert not await is_well(path, {}, 1.0)
        listener.listen(1)
        assert await is_well(path, {}, 1.0)


async def test_a_full_queue_is_busy_and_not_gone(path: str):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(path)
            assert is_listening(path)
            assert is_listening(path)


async def test_nobody_is_not_well(path: str):
    assert not await is_well(path, {"health": "channel"}, 1.0)
