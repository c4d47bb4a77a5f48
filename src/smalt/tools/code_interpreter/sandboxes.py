"""Where code runs: in a worker under the engine host, so that all processes of the server reach the same sandboxes."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from typing import Any, Protocol

from smalt.core.errors import EngineFailed
from smalt.core.settings import Settings
from smalt.engines.channel import ChannelClient
from smalt.engines.host.client import EngineHost
from smalt.engines.protocols import WorkerSpec
from smalt.sandbox.limits import Limits
from smalt.sandbox.pool import Pool
from smalt.sandbox.process import Ran, SandboxFile, SandboxLost, SandboxRefused

TARGET = "smalt.tools.sandbox_worker:serve"
BASE_BYTES = 64 * 2**20
"""What the worker takes; the sandboxes' own memory has limits of its own."""


class HeldSandbox(Protocol):
    """A sandbox that the caller has alone; its methods are those of `smalt.sandbox.pool.Held`.

    Raises `SandboxLost` when its process has ended, `SandboxRefused` when a file does not fit or is not there.
    """

    @property
    def is_new(self) -> bool: ...  # noqa: D102 as the class says

    @property
    def files(self) -> Mapping[str, str]: ...  # noqa: D102

    async def write(self, path: str, piece: bytes, *, is_first: bool) -> None: ...  # noqa: D102

    async def written(self, path: str, digest: str) -> None: ...  # noqa: D102

    async def remove(self, path: str) -> None: ...  # noqa: D102

    async def run(self, code: str) -> Ran: ...  # noqa: D102

    async def changes(self) -> tuple[list[SandboxFile], list[str]]: ...  # noqa: D102

    def read(self, file: SandboxFile) -> AsyncGenerator[bytes]: ...  # noqa: D102

    async def note(self, file: SandboxFile, digest: str) -> None: ...  # noqa: D102


class Sandboxes(Protocol):
    """Sandboxes by the ids of their containers."""

    def hold(self, name: str, limits: Limits) -> AbstractAsyncContextManager[HeldSandbox]:
        """Have one alone, started if need be."""
        ...

    async def end(self, name: str) -> None:
        """End one; nothing of what it knew is left."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class LocalSandboxes:
    """Sandboxes of this process, for servers without an engine host."""

    def __init__(self, settings: Settings) -> None:
        code = settings.code_interpreter
        self._pool = Pool(code.sandboxes, code.bwrap)

    def hold(self, name: str, limits: Limits) -> AbstractAsyncContextManager[HeldSandbox]:
        """Have one alone."""
        return self._pool.hold(name, limits)

    async def end(self, name: str) -> None:
        """End one."""
        await self._pool.end(name)

    async def close(self) -> None:
        """End all."""
        await self._pool.close()


class WorkerSandboxes:
    """Sandboxes of the worker process that all share."""

    def __init__(self, spec: WorkerSpec, host: EngineHost) -> None:
        self._spec = spec
        self._host = host
        self._channel: ChannelClient | None = None
        self._socket_path: str | None = None

    @asynccontextmanager
    async def hold(self, name: str, limits: Limits) -> AsyncGenerator[HeldSandbox]:
        """Have one alone; the worker lets go of it when the connection ends."""
        async with self._host.lease(self._spec) as worker:
            channel = await self._channel_to(worker.socket_path)
            holding = channel.stream("hold", {"name": name, "limits": asdict(limits)})
            try:
                header, _ = await anext(holding)
                yield RemoteSandbox(channel, header)
            finally:
                await holding.aclose()

    async def end(self, name: str) -> None:
        """End one; a worker that does not run has none, and need not be started."""
        if self._spec.key not in {worker.key for worker in await self._host.status()}:
            return
        async with self._host.lease(self._spec) as worker:
            await (await self._channel_to(worker.socket_path)).call("end", {"name": name})

    async def close(self) -> None:
        """Close the connection; the worker stays for others."""
        if self._channel is not None:
            await self._channel.close()

    async def _channel_to(self, socket_path: str) -> ChannelClient:
        if self._channel is None or self._socket_path != socket_path:
            before, self._channel = self._channel, ChannelClient(socket_path)
            self._socket_path = socket_path
            if before is not None:
                await before.close()
        return self._channel


class RemoteSandbox:
    """A sandbox in the worker."""

    def __init__(self, channel: ChannelClient, header: Mapping[str, Any]) -> None:
        self._channel = channel
        self._hold: str = header["hold"]
        self.is_new: bool = header["is_new"]
        self.files: Mapping[str, str] = header["files"]

    async def write(self, path: str, piece: bytes, *, is_first: bool) -> None:
        """Write a file, or more of it."""
        await self._call("write", {"path": path, "is_first": is_first}, piece)

    async def written(self, path: str, digest: str) -> None:
        """Tell that the file is whole."""
        await self._call("written", {"path": path, "digest": digest})

    async def remove(self, path: str) -> None:
        """Remove a file."""
        await self._call("remove", {"path": path})

    async def run(self, code: str) -> Ran:
        """Run code."""
        header, payload = await self._call("run", {"code": code})
        figures: list[bytes] = []
        start = 0
        for size in header["figures"]:
            figures.append(payload[start : start + size])
            start += size
        return Ran(header["status"], header["log"], figures, header["reason"])

    async def changes(self) -> tuple[list[SandboxFile], list[str]]:
        """What has changed."""
        header, _ = await self._call("changes", {})
        return [SandboxFile(**file) for file in header["changed"]], header["gone"]

    async def read(self, file: SandboxFile) -> AsyncGenerator[bytes]:
        """The content of a file."""
        try:
            async for header, chunk in self._channel.stream("read", {"hold": self._hold, "file": asdict(file)}):
                _raise_failure(header)
                yield chunk
        except EngineFailed as error:
            raise SandboxLost(str(error)) from error

    async def note(self, file: SandboxFile, digest: str) -> None:
        """Tell by which digest the file is known."""
        await self._call("note", {"file": asdict(file), "digest": digest})

    async def _call(
        self, method: str, header: Mapping[str, Any], payload: bytes = b""
    ) -> tuple[Mapping[str, Any], bytes]:
        try:
            answer, content = await self._channel.call(method, {"hold": self._hold, **header}, payload)
        except EngineFailed as error:
            raise SandboxLost(str(error)) from error
        _raise_failure(answer)
        return answer, content


def _raise_failure(answer: Mapping[str, Any]) -> None:
    if "lost" in answer:
        raise SandboxLost(answer["lost"])
    if "refused" in answer:
        raise SandboxRefused(answer["refused"])


def open_sandboxes(settings: Settings, host: EngineHost | None) -> Sandboxes:
    """The sandboxes of this server; nothing is started before code is to be run."""
    return LocalSandboxes(settings) if host is None else WorkerSandboxes(worker_spec(settings), host)


def worker_spec(settings: Settings) -> WorkerSpec:
    """The one worker that has all sandboxes of a server."""
    code = settings.code_interpreter
    options = {"sandboxes": code.sandboxes, "bwrap": str(code.bwrap) if code.bwrap else None}
    return WorkerSpec(f"code:{code.sandboxes}:{code.bwrap or ''}", TARGET, options, BASE_BYTES)
