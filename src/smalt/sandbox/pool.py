"""The sandboxes of one process, by name: started when needed, kept while there is room, one caller at a time."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from smalt.core.errors import Unavailable
from smalt.sandbox.bubblewrap import Bubblewrap
from smalt.sandbox.limits import Limits
from smalt.sandbox.process import Ran, Sandbox, SandboxFile

ROOM_SECONDS = 30.0
IDLE_SECONDS = 1200.0
"""A sandbox that was not used for so long ends when another is used."""


class Held:
    """A sandbox that one caller has for itself; it is started when it is first asked for something."""

    def __init__(self, bubblewrap: Bubblewrap, limits: Limits) -> None:
        self._bubblewrap = bubblewrap
        self._limits = limits
        self._sandbox: Sandbox | None = None
        self._known: dict[str, tuple[str, str]] = {}
        """For each file the digest that the caller knows it by, and its stamp."""
        self.turn = asyncio.Lock()
        self.waiting = 0
        self.used_at = time.monotonic()

    @property
    def is_new(self) -> bool:
        """Whether nothing of earlier calls is left."""
        return self._sandbox is None or not self._sandbox.is_alive

    @property
    def files(self) -> dict[str, str]:
        """The files that are there as the caller put them or took them: path to digest."""
        return {} if self.is_new else {path: digest for path, (digest, _) in self._known.items()}

    async def write(self, path: str, piece: bytes, *, is_first: bool) -> None:
        """Write a file, or more of it."""
        await (await self._running()).write(path, piece, is_first=is_first)

    async def written(self, path: str, digest: str) -> None:
        """The file is whole, and the caller knows it by this digest."""
        stamps = {file.path: file.stamp for file in await (await self._running()).files()}
        self._known[path] = (digest, stamps.get(path, ""))

    async def remove(self, path: str) -> None:
        """Remove a file."""
        await (await self._running()).remove(path)
        self._known.pop(path, None)

    async def run(self, code: str) -> Ran:
        """Run code."""
        ran = await (await self._running()).run(code)
        if ran.status == "lost":
            self._known = {}
        return ran

    async def changes(self) -> tuple[list[SandboxFile], list[str]]:
        """The files that the caller does not know as they are now, and the paths that are gone."""
        files = await (await self._running()).files()
        changed = [file for file in files if self._known.get(file.path, ("", ""))[1] != file.stamp]
        gone = sorted(self._known.keys() - {file.path for file in files})
        for path in gone:
            del self._known[path]
        return changed, gone

    async def read(self, file: SandboxFile) -> AsyncGenerator[bytes]:
        """The content of a file."""
        async for chunk in (await self._running()).read(file):
            yield chunk

    async def note(self, file: SandboxFile, digest: str) -> None:
        """The caller has read the file, and knows it by this digest from now on."""
        self._known[file.path] = (digest, file.stamp)

    def pause(self) -> None:
        """Let it stand still until somebody has it again."""
        if self._sandbox is not None:
            self._sandbox.stop()

    async def close(self) -> None:
        """End it."""
        sandbox, self._sandbox = self._sandbox, None
        self._known = {}
        if sandbox is not None:
            await sandbox.close()

    async def _running(self) -> Sandbox:
        if self._sandbox is not None and not self._sandbox.is_alive:
            await self.close()
        if self._sandbox is None:
            program = await asyncio.to_thread(self._bubblewrap.require)
            self._sandbox = await Sandbox.start(program, self._limits)
        self._sandbox.resume()
        return self._sandbox


class Pool:
    """Sandboxes by name; when there are too many, the one that was not used for longest is ended."""

    def __init__(self, most: int, bubblewrap: Path | None = None) -> None:
        self._most = most
        self._bubblewrap = Bubblewrap(bubblewrap)
        self._held: dict[str, Held] = {}
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, name: str, limits: Limits) -> AsyncGenerator[Held]:
        """Have a sandbox alone; waits for others who have it, and raises `Unavailable` when all are busy for long."""
        held = await self._find(name, limits)
        held.waiting += 1
        try:
            await self._end_forgotten()
            async with held.turn:
                try:
                    yield held
                finally:
                    held.pause()
        finally:
            held.waiting -= 1
            held.used_at = time.monotonic()
            await self._let_go(name, held)

    async def end(self, name: str) -> None:
        """End a sandbox, whoever has it."""
        if (held := self._held.pop(name, None)) is not None:
            await held.close()

    async def close(self) -> None:
        """End all."""
        for name in list(self._held):
            await self.end(name)

    async def _end_forgotten(self) -> None:
        before = time.monotonic() - IDLE_SECONDS
        for name in [name for name, held in self._held.items() if not held.waiting and held.used_at < before]:
            await self.end(name)

    async def _let_go(self, name: str, held: Held) -> None:
        """Forget one that does not run, or that was ended while somebody waited for it."""
        is_ours = self._held.get(name) is held
        if not held.waiting and (held.is_new or not is_ours):
            if is_ours:
                del self._held[name]
            await held.close()
        async with self._freed:
            self._freed.notify_all()

    async def _find(self, name: str, limits: Limits) -> Held:
        """The sandbox of this name, now the one that was used last."""
        if (found := self._held.pop(name, None)) is None:
            await self._make_room()
            # Somebody else may have made it meanwhile.
            found = self._held.pop(name, None) or Held(self._bubblewrap, limits)
        self._held[name] = found
        return found

    async def _make_room(self) -> None:
        try:
            async with asyncio.timeout(ROOM_SECONDS), self._freed:
                while len(self._held) >= self._most:
                    idle = [name for name, held in self._held.items() if not held.waiting]
                    if idle:
                        await self.end(idle[0])
                    else:
                        await self._freed.wait()
        except TimeoutError as error:
            raise Unavailable(
                f"{self._most} containers run code at the moment, and no more may. Try again later, or raise "
                "code_interpreter.sandboxes."
            ) from error
