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
from pydantic import SecretStr
from sqlalchemy.engine import URL

from smalt.app import create_app
from smalt.app.job_launcher import JobLauncher
from smalt.core.settings import DeploymentSettings, Settings
from smalt.store.database import Database, database_of, default_database
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
def serving(
    settings: Settings, listener: socket.socket | None = None, *, jobs: bool = False, **state: Any
) -> Iterator[Served]:
    """Serve the whole app until the end of the block; `state` is set on the app before it starts.

    With `jobs`, durable jobs run too: in a process of their own, which starts when there is something to do.
    """
    listener = listener or loopback_socket()
    key = asyncio.run(new_key(settings.data_dir, place=database_of(settings)))
    app = create_app(settings)
    for name, value in state.items():
        setattr(app.state, name, value)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    launcher = JobLauncher(settings, app.state.host_socket) if jobs else None
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        if launcher is not None:
            launcher.begin()
        yield Served(url_of(listener), key, app)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        if launcher is not None:
            launcher.stop()


def opened(data_dir: Path, place: URL | Path) -> Database:
    """A database, brought up to date first; the caller closes it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    migrate(place)
    return Database.open(place)


async def new_key(data_dir: Path, project: str = "default", *, place: URL | Path | None = None) -> str:
    """Make a key in the database of a data folder, new or old, or in the one at `place`."""
    database = opened(data_dir, place or default_database(data_dir))
    try:
        _, secret = await Keys(database).create(f"test-{time.monotonic_ns()}", project)
    finally:
        await database.close()
    return secret


@contextmanager
def serving_echoes(data_dir: Path) -> Iterator[Served]:
    """A server whose models are echoes of several tempers; `far` is the model `echo`, asked through an upstream."""
    listener = loopback_socket()
    key = asyncio.run(new_key(data_dir))
    deployments = {
        "echo": DeploymentSettings(engine="echo"),
        "slow": DeploymentSettings(engine="echo", options={"delay_seconds": 0.05, "tokens": 200}),
        "fragile": DeploymentSettings(engine="echo", options={"fail_after": 2}),
        "broken": DeploymentSettings(engine="echo", options={"fail_after": 0}),
        "short": DeploymentSettings(engine="echo", options={"context": 8}),
        "chat-only": DeploymentSettings(engine="echo", abilities=["chat_completion"]),
        "org/echo:v1": DeploymentSettings(engine="echo"),
        "far": DeploymentSettings(
            engine="upstream", model="echo", base_url=f"{url_of(listener)}/v1", api_key=SecretStr(key)
        ),
    }
    aliases = {"gpt-4o-mini": "echo", "text-embedding-3-small": "echo", "gpt-3.5-turbo-instruct": "echo"}
    settings = Settings(data_dir=data_dir, starter=False, deployments=deployments, aliases=aliases)
    with serving(settings, listener) as served:
        yield served
