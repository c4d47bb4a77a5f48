"""A small app with routes of its own, driven without a network."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from smalt.app import create_app
from smalt.core.settings import load_settings
from smalt.http.routing import Router
from smalt.models import Models
from smalt.store.database import default_database
from smalt.store.migrating import migrate


@dataclass
class Exchange:
    """One request by hand: what the client sends and when it goes away, and what the app has sent so far."""

    path: str
    key: str
    body: bytes = b"{}"
    more_headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    sent: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    is_read: bool = False

    async def receive(self) -> dict[str, Any]:
        if not self.is_read:
            self.is_read = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        self.heard.set()

    def start(self, app: FastAPI) -> "asyncio.Task[None]":
        scope = {
            "type": "http",
            "method": "POST",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": [
                (b"api-key", self.key.encode()),
                (b"content-type", b"application/json"),
                *self.more_headers,
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        return asyncio.create_task(app(scope, self.receive, self.send))

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


@dataclass
class Running:
    """An open app, a client that has a key, and the key."""

    app: FastAPI
    client: httpx2.AsyncClient
    key: str

    def by_hand(self, path: str, body: bytes = b"{}") -> Exchange:
        """One request whose client can leave."""
        return Exchange(path, self.key, body)

    def stranger(self) -> httpx2.AsyncClient:
        """A client without a key."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://localhost")


Run = Callable[..., Awaitable[Running]]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows; copying it is faster than migrating."""
    path = default_database(tmp_path_factory.mktemp("database"))
    migrate(path)
    return path


@pytest.fixture
async def run(tmp_path: Path, empty_database: Path) -> AsyncIterator[Run]:
    shutil.copy(empty_database, default_database(tmp_path))
    async with AsyncExitStack() as stack:

        async def start(*routers: Router, **settings: Any) -> Running:
            loaded = load_settings(**{"data_dir": tmp_path, "starter": False, **settings})
            models = Models(loaded)
            stack.push_async_callback(models.close)
            app = create_app(loaded, models=models, routers=routers)
            await stack.enter_async_context(app.router.lifespan_context(app))
            made = await app.state.keys.create("tester", "green")
            client = httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app), base_url="http://localhost", headers={"api-key": made[1]}
            )
            await stack.enter_async_context(client)
            return Running(app, client, made[1])

        yield start
