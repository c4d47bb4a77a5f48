"""Speaks with API processes: JSON lines on a Unix socket, leases that end with their connection."""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from smalt.core.errors import ApiError
from smalt.engines.failures import describe
from smalt.engines.host.policy import Policy
from smalt.engines.host.process import LINE_BYTES, Spec
from smalt.engines.host.supervisor import Supervisor, Worker

logger = logging.getLogger(__name__)


class Connection:
    """One API process: what it asks for and what it holds."""

    def __init__(self, supervisor: Supervisor, writer: asyncio.StreamWriter) -> None:
        self._supervisor = supervisor
        self._writer = writer
        self._held: list[Worker] = []
        self._asking: set[asyncio.Task[None]] = set()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message; a client that has gone does not mind."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def received(self, message: Mapping[str, Any]) -> None:
        """Act on one request."""
        if message["op"] == "lease":
            task = asyncio.get_running_loop().create_task(self._lease(message["id"], Spec(**message["spec"])))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        elif message["op"] == "release":
            self._release(message["worker"])
        elif message["op"] == "status":
            self.send({"id": message["id"], "workers": self._supervisor.status()})

    def close(self) -> None:
        """Give back everything: the API process has gone."""
        for task in self._asking:
            task.cancel()
        for worker in self._held:
            self._supervisor.release(worker)
        self._held.clear()
        self._writer.close()

    async def _lease(self, number: int, spec: Spec) -> None:
        try:
            worker = await self._supervisor.lease(spec)
        except ApiError as error:
            self.send({"id": number, "error": describe(error)})
        else:
            self._held.append(worker)
            address = {"socket_path": worker.process.socket_path, "info": worker.info}
            self.send({"id": number, "worker": worker.name, "address": address})

    def _release(self, name: str) -> None:
        for worker in self._held:
            if worker.name == name:
                self._held.remove(worker)
                self._supervisor.release(worker)
                return


class HostServer:
    """The engine host's socket."""

    def __init__(self, policy: Policy, folder: str) -> None:
        self._supervisor = Supervisor(policy, folder, self._tell_that_it_has_gone)
        self._connections: set[Connection] = set()

    async def serve(self, socket_path: str, stop: asyncio.Event) -> None:
        """Answer on `socket_path` until `stop` is set, then stop every worker."""
        server = await asyncio.start_unix_server(self._connected, socket_path, limit=LINE_BYTES)
        print(json.dumps({"ready": socket_path}), flush=True)  # noqa: T201 the launcher waits for this line
        await stop.wait()
        server.close()
        await self._supervisor.close()
        for connection in list(self._connections):
            connection.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self._supervisor, writer)
        self._connections.add(connection)
        try:
            with suppress(ConnectionError):
                while line := await reader.readline():
                    connection.received(json.loads(line))
        except (ValueError, LookupError, TypeError):
            logger.exception("a client sent what is no request")
        finally:
            self._connections.discard(connection)
            connection.close()

    def _tell_that_it_has_gone(self, name: str, reason: str) -> None:
        for connection in self._connections:
            connection.send({"gone": name, "reason": reason})
