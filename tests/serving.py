"""Serves an app on a loopback port in a thread, for tests that need a real connection."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from smalt.app import create_app
from smalt.core.settings import Settings
from smalt.store.database import Database, default_database
from smalt.store.keys import Keys
from smalt.store.migrating import migrate


@dataclass(frozen=True)
class Served:
    """Where an app listens, a key that it accepts, and the app itself."""

    url: str
    key: str
    app: Any


def loopback_socket() -> socket.socket:
    """A socket on a free loopback port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serving(settings: Settings, listener: socket.socket | None = None, **state: Any) -> Iterator[Served]:
    """Serve the whole app until the end of the block; `state` is set on the app before it starts."""
    listener = listener or loopback_socket()
    key = asyncio.run(new_key(settings.data_dir))
    app = create_app(settings)
    for name, value in state.items():
        setattr(app.state, name, value)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield Served(url_of(listener), key, app)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


async def new_key(data_dir: Path, project: str = "default") -> str:
    """Make a key in a data folder, new or old."""
    path = default_database(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    migrate(path)
    database = Database.open(path)
    try:
        _, secret = await Keys(database).create(f"test-{time.monotonic_ns()}", project)
    finally:
        await database.close()
    return secret
