"""The target of the worker process that has the sandboxes: a caller holds one by a stream that it keeps open."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from smalt.core.errors import EngineFailed
from smalt.engines.channel import CallHandler, Handlers, Header, Message, Ready, run, serve_channel
from smalt.sandbox.limits import Limits
from smalt.sandbox.pool import Held, Pool
from smalt.sandbox.process import SandboxFile, SandboxLost, SandboxRefused

Method = Callable[[Held, Header, bytes], Awaitable[Message]]


class Service:
    """Answers calls about sandboxes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._held: dict[str, Held] = {}

    def handlers(self) -> Handlers:
        """Every method."""
        methods: Mapping[str, Method] = {
            "write": _write,
            "written": _written,
            "remove": _remove,
            "run": _run,
            "changes": _changes,
            "note": _note,
        }
        calls: dict[str, CallHandler] = {name: self._answering(method) for name, method in methods.items()}
        return Handlers(calls={**calls, "end": self._end}, streams={"hold": self._hold, "read": self._read})

    async def _hold(self, header: Header, _payload: bytes) -> AsyncGenerator[Message]:
        async with self._pool.hold(header["name"], Limits(**header["limits"])) as held:
            token = secrets.token_hex(8)
            self._held[token] = held
            try:
                yield {"hold": token, "is_new": held.is_new, "files": held.files}, b""
                await asyncio.Event().wait()
            finally:
                del self._held[token]

    async def _read(self, header: Header, _payload: bytes) -> AsyncGenerator[Message]:
        try:
            async for chunk in self._find(header).read(SandboxFile(**header["file"])):
                yield {}, chunk
        except (SandboxLost, SandboxRefused) as error:
            yield _failure(error), b""

    async def _end(self, header: Header, _payload: bytes) -> Message:
        await self._pool.end(header["name"])
        return {}, b""

    def _answering(self, method: Method) -> CallHandler:
        async def call(header: Header, payload: bytes) -> Message:
            try:
                return await method(self._find(header), header, payload)
            except (SandboxLost, SandboxRefused) as error:
                return _failure(error), b""

        return call

    def _find(self, header: Header) -> Held:
        if (held := self._held.get(header["hold"])) is None:
            raise EngineFailed("The sandbox was let go of.")
        return held


def serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Answer until the process is stopped; the sandboxes end with it."""
    run(_serve(options, socket_path, ready))


async def _serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    pool = Pool(options["sandboxes"], Path(options["bwrap"]) if options["bwrap"] else None)
    await serve_channel(Service(pool).handlers(), socket_path, ready)


async def _write(held: Held, header: Header, payload: bytes) -> Message:
    await held.write(header["path"], payload, is_first=header["is_first"])
    return {}, b""


async def _written(held: Held, header: Header, _payload: bytes) -> Message:
    await held.written(header["path"], header["digest"])
    return {}, b""


async def _remove(held: Held, header: Header, _payload: bytes) -> Message:
    await held.remove(header["path"])
    return {}, b""


async def _run(held: Held, header: Header, _payload: bytes) -> Message:
    ran = await held.run(header["code"])
    sizes = [len(figure) for figure in ran.figures]
    return {"status": ran.status, "log": ran.log, "reason": ran.reason, "figures": sizes}, b"".join(ran.figures)


async def _changes(held: Held, _header: Header, _payload: bytes) -> Message:
    changed, gone = await held.changes()
    return {"changed": [asdict(file) for file in changed], "gone": gone}, b""


async def _note(held: Held, header: Header, _payload: bytes) -> Message:
    await held.note(SandboxFile(**header["file"]), header["digest"])
    return {}, b""


def _failure(error: SandboxLost | SandboxRefused) -> dict[str, Any]:
    return {"lost" if isinstance(error, SandboxLost) else "refused": str(error)}
