"""Runs a Smalt server for a measurement: its own folder, its own key, a free port."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter, sleep
from typing import Any

from smalt.cli.bench.load import Target
from smalt.cli.bench.processes import ProcessTree, pinned, stop
from smalt.engines.protocols import Deployment

SMALT = (sys.executable, "-c", "from smalt.cli import main; main()")
START_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """A running server; `started_at` is `perf_counter` when its process was started."""

    address: str
    key: str
    tree: ProcessTree
    started_at: float

    def target(self, path: str) -> Target:
        """Where an operation of the v1 mount is, with the key."""
        return Target(f"{self.address}/openai/v1{path}", {"api-key": self.key})


@contextmanager
def smalt_server(
    deployments: Mapping[str, Mapping[str, Any]],
    *,
    cores: frozenset[int] | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Generator[Server]:
    """Serve these deployments (as in `[deployments.NAME]`), and nothing else, until the context ends.

    `environment` has further settings as variables. `folder` is its data folder, which is kept; a new one, when None.
    """
    with ExitStack() as stack:
        folder = folder or Path(stack.enter_context(TemporaryDirectory(prefix="smalt-bench-")))
        port = free_port()
        config = folder / "smalt.toml"
        config.touch()
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SMALT_")},
            **(environment or {}),
            "SMALT_CONFIG": str(config),
            "SMALT_DATA_DIR": str(folder),
            "SMALT_STARTER": "false",
            "SMALT_OFFLINE": "true",
            "SMALT_SERVER__PORT": str(port),
            "SMALT_LOG__LEVEL": "error",
            "SMALT_DEPLOYMENTS": json.dumps(deployments),
        }
        key = asyncio.run(_make_key(folder))
        started_at = perf_counter()
        with pinned(cores):
            process = subprocess.Popen([*SMALT, "serve"], env=variables, stdout=subprocess.DEVNULL)  # noqa: S603
        try:
            server = Server(f"http://127.0.0.1:{port}", key, ProcessTree(process.pid), started_at)
            wait_for_port(port, process)
            _ask_for_models(server)
            yield server
        finally:
            stop(process)


def as_settings(deployment: Deployment) -> dict[str, Any]:
    """A deployment that is on disk, as settings that need no catalog."""
    return {
        "engine": deployment.engine,
        "model": deployment.model,
        "abilities": sorted(deployment.abilities),
        "weights": {role: str(Path(path).resolve()) for role, path in deployment.weights.items()},
        "options": dict(deployment.options),
    }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port: int, process: "subprocess.Popen[Any]") -> None:
    """Wait until somebody listens there."""
    until = monotonic() + START_SECONDS
    while monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode} before it listened")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.01)
    raise TimeoutError(f"the server did not listen within {START_SECONDS:g} seconds")


def _ask_for_models(server: Server) -> None:
    """The first real answer is the proof of readiness."""
    target = server.target("/models")
    with urllib.request.urlopen(urllib.request.Request(target.url, headers=dict(target.headers))) as answer:  # noqa: S310 - our own address
        answer.read()


async def _make_key(folder: Path) -> str:
    from smalt.store.database import Database, default_database
    from smalt.store.keys import Keys
    from smalt.store.migrating import migrate

    path = default_database(folder)
    migrate(path)
    database = Database.open(path)
    try:
        _, secret = await Keys(database).create("bench", "bench")
        return secret
    finally:
        await database.close()
