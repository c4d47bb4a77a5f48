"""The API process's side of the engine host: leases, shared within the process and kept a moment after their use."""

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, Self

from smalt.core.errors import EngineFailed, Unavailable
from smalt.engines.failures import revive
from smalt.engines.host.process import LINE_BYTES
from smalt.engines.protocols import WorkerAddress, WorkerSpec

logger = logging.getLogger(__name__)

LINGER_SECONDS = 0.25
RECONNECT_SECONDS = 10.0
RECONNECT_PAUSE_SECONDS = 0.05
PAUSES_SECONDS = (0.05, 0.5, 0.0)


@dataclass(frozen=True)
class WorkerStatus:
    """One worker as the host sees it; `failures` counts its key's failures since it was last well."""

    key: str
    name: str
    state: Literal["starting", "ready", "stopping", "ended"]
    pid: int | None
    leases: int
    memory_bytes: int
    idle_seconds: float
    failures: int


class HostLost(Exception):
    """The connection to the host ended before the answer came."""


class SharedLease:
    """A host lease that requests of this process share; `users` counts them."""

    def __init__(self, granting: "asyncio.Task[tuple[str, WorkerAddress]]") -> None:
        self.granting = granting
        self.users = 0
        self.linger: asyncio.TimerHandle | None = None

    @property
    def worker_name(self) -> str | None:
        """The host's name for the worker, once granted."""
        granting = self.granting
        if not granting.done() or granting.cancelled() or granting.exception() is not None:
            return None
        return granting.result()[0]


class EngineHost:
    """Leases workers from the engine host. One per event loop; reconnects when the host was restarted."""

    def __init__(self, socket_path: str, *, linger_seconds: float = LINGER_SECONDS) -> None:
        self._socket_path = socket_path
        self._linger_seconds = linger_seconds
        self._leases: dict[str, SharedLease] = {}
        self._answers: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    @classmethod
    async def connect(cls, socket_path: str) -> Self:
        """Connect to the host that listens on `socket_path`."""
        host = cls(socket_path)
        await host._connected()
        return host

    @asynccontextmanager
    async def lease(self, spec: WorkerSpec) -> AsyncGenerator[WorkerAddress]:
        """Hold a worker for `spec`, started if need be; raises `Unavailable`, or why it cannot start."""
        shared = self._leases.get(spec.key)
        if shared is None:
            shared = self._ask_for(spec)
        shared.users += 1
        if shared.linger is not None:
            shared.linger.cancel()
        try:
            # Others may wait for the same start: one who gives up does not end it.
            yield (await asyncio.shield(shared.granting))[1]
        except EngineFailed:
            # The worker may have died, and the host's word of it may still be under way.
            self._drop(spec.key, shared)
            raise
        finally:
            shared.users -= 1
            self._used(spec.key, shared)

    async def status(self) -> list[WorkerStatus]:
        """What the host runs now."""
        answer = await self._ask({"op": "status"})
        return [WorkerStatus(**worker) for worker in answer["workers"]]

    async def close(self) -> None:
        """Give back every lease and disconnect."""
        for shared in self._leases.values():
            shared.granting.cancel()
            if shared.linger is not None:
                shared.linger.cancel()
        self._leases.clear()
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        if self._reading is not None:
            await asyncio.wait([self._reading])

    def _ask_for(self, spec: WorkerSpec) -> SharedLease:
        granting = asyncio.get_running_loop().create_task(self._grant(spec))
        shared = self._leases[spec.key] = SharedLease(granting)
        granting.add_done_callback(lambda _: self._granted(spec.key, shared))
        return shared

    def _granted(self, key: str, shared: SharedLease) -> None:
        if shared.worker_name is None:
            self._drop(key, shared)
        self._used(key, shared)

    def _drop(self, key: str, shared: SharedLease) -> None:
        """Later requests ask the host again."""
        if self._leases.get(key) is shared:
            del self._leases[key]

    def _used(self, key: str, shared: SharedLease) -> None:
        """After a use: give the lease back, at once if it was dropped, else after a moment without another use."""
        if shared.users or not shared.granting.done():
            # A start that all have given up goes on; `_granted` comes here again when it is done.
            return
        if self._leases.get(key) is not shared:
            self._give_back(shared)
            return
        if shared.linger is not None:
            shared.linger.cancel()
        shared.linger = asyncio.get_running_loop().call_later(self._linger_seconds, self._end_linger, key, shared)

    def _end_linger(self, key: str, shared: SharedLease) -> None:
        self._drop(key, shared)
        self._give_back(shared)

    def _give_back(self, shared: SharedLease) -> None:
        if (name := shared.worker_name) is not None and self._writer is not None:
            self._send(self._writer, {"op": "release", "worker": name})

    async def _grant(self, spec: WorkerSpec) -> tuple[str, WorkerAddress]:
        wanted = {"key": spec.key, "target": spec.target, "options": dict(spec.options)}
        answer = await self._ask({"op": "lease", "spec": {**wanted, "memory_bytes": spec.memory_bytes}})
        return answer["worker"], WorkerAddress(answer["address"]["socket_path"], answer["address"]["info"])

    async def _ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a request and wait for its answer; ask again when the host was restarted meanwhile."""
        for pause_seconds in PAUSES_SECONDS:
            with suppress(HostLost):
                return await self._ask_once(request)
            # A host that is just dying may still take a connection.
            await asyncio.sleep(pause_seconds)
        raise EngineFailed("The engine host ended again and again while it worked on this; its log says why.")

    async def _ask_once(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        writer = await self._connected()
        number = next(self._numbers)
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._send(writer, {"id": number, **request})
        try:
            message = await answer
        finally:
            self._answers.pop(number, None)
        if "error" in message:
            raise revive(message["error"])
        return message

    def _send(self, writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
        if not writer.is_closing():
            writer.write(json.dumps(message).encode() + b"\n")

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._reading is not None and not self._reading.done() and self._writer is not None:
                return self._writer
            reader, self._writer = await self._open()
            self._reading = asyncio.get_running_loop().create_task(self._read(reader, self._writer))
            return self._writer

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; a host that is being restarted gets some time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECONNECT_SECONDS
        while True:
            try:
                return await asyncio.open_unix_connection(self._socket_path, limit=LINE_BYTES)
            except OSError as error:
                if loop.time() > deadline:
                    raise Unavailable("The engine host does not run; its log says why. Try again later.") from error
                await asyncio.sleep(RECONNECT_PAUSE_SECONDS)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while line := await reader.readline():
                    self._received(json.loads(line))
        finally:
            writer.close()
            self._host_lost()

    def _received(self, message: Mapping[str, Any]) -> None:
        if "gone" in message:
            for key, shared in list(self._leases.items()):
                if shared.worker_name == message["gone"]:
                    self._drop(key, shared)
        elif (answer := self._answers.get(message["id"])) and not answer.done():
            answer.set_result(message)

    def _host_lost(self) -> None:
        """Its workers died with it: forget their leases, and fail what waits for an answer."""
        for key, shared in list(self._leases.items()):
            if shared.worker_name is not None:
                self._drop(key, shared)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(HostLost)
