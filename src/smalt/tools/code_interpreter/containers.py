"""Containers as the rest of Smalt sees them: files that are kept, and an interpreter that comes and goes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from smalt.core.errors import ApiError, InvalidRequest
from smalt.core.settings import CodeInterpreterSettings, Settings
from smalt.engines.host.client import EngineHost
from smalt.sandbox.bubblewrap import Bubblewrap
from smalt.sandbox.limits import Limits
from smalt.sandbox.process import Ran, SandboxFile, SandboxLost, SandboxRefused
from smalt.sandbox.python_files import python_files
from smalt.store.blobs import Blobs
from smalt.store.container_files import ContainerFile, ContainerFiles, new_container_file_id
from smalt.store.containers import Container, Containers, NewContainer
from smalt.store.database import Database
from smalt.tools.code_interpreter.sandboxes import HeldSandbox, open_sandboxes

T = TypeVar("T")

MEMORY_BYTES = {"1g": 2**30, "4g": 4 * 2**30, "16g": 16 * 2**30, "64g": 64 * 2**30}


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture that code has shown: its PNG, and the file that keeps it, if it fitted."""

    png: bytes
    file: ContainerFile | None


@dataclass(frozen=True, slots=True)
class Interpreted:
    """What came of a call: how it ended, what it printed and showed, and the files that it wrote.

    `is_new` says that nothing of earlier calls was known to it, `trouble` what went wrong with its files.
    """

    ran: Ran
    is_new: bool
    figures: Sequence[Figure] = ()
    files: Sequence[ContainerFile] = ()
    trouble: str = ""


class CodeContainers:
    """Makes containers, and runs code in them."""

    def __init__(self, settings: Settings, host: EngineHost | None, database: Database, blobs: Blobs) -> None:
        self._settings = settings.code_interpreter
        self._blobs = blobs
        self._bubblewrap = Bubblewrap(self._settings.bwrap)
        self._sandboxes = open_sandboxes(settings, host)
        self.rows = Containers(database)
        self.files = ContainerFiles(database)

    @property
    def settings(self) -> CodeInterpreterSettings:
        """The limits."""
        return self._settings

    async def require(self) -> Sequence[str]:
        """Make sure that code can be run here, or raise `NotInstalled`; the packages that code may import."""
        await asyncio.to_thread(self._bubblewrap.require)
        return python_files().packages

    def check_memory(self, memory_limit: str, *, param: str) -> None:
        """Refuse a memory limit that the settings do not allow."""
        if MEMORY_BYTES[memory_limit] > self._settings.memory_bytes:
            raise InvalidRequest(
                f"'{param}' is {memory_limit}, which is more than code_interpreter.memory_bytes allows "
                f"({self._settings.memory_bytes} bytes). Ask for less, or raise the setting.",
                param=param,
                code="invalid_value",
            )

    async def create(self, project: str, new: NewContainer) -> Container:
        """Make a container with its files."""
        return await self.rows.create(project, new)

    async def delete(self, project: str, container_id: str) -> None:
        """Delete a container, its files and what runs in it."""
        await self.rows.delete(project, container_id)
        # What cannot be reached does not run.
        with suppress(ApiError):
            await self._sandboxes.end(container_id)

    async def run(self, project: str, container_id: str, code: str) -> Interpreted:
        """Run code in a container, with the files as they are kept, and keep what it changes.

        Raises `NotFound` or `InvalidRequest` for a container that cannot be used. Cancelling this ends the
        interpreter, so that the next call begins without what earlier ones have defined.
        """
        container = await self.rows.use(project, container_id)
        async with self._sandboxes.hold(container.id, self._limits(container)) as sandbox:
            is_new = sandbox.is_new
            try:
                await self._bring(container, sandbox)
                ran = await sandbox.run(code)
            except (SandboxLost, SandboxRefused) as error:
                return Interpreted(Ran("lost", "", reason=str(error)), is_new)
            figures = [await self._keep_figure(container, png) for png in ran.figures]
            files, trouble = await self._keep(container, sandbox) if ran.status != "lost" else ([], "")
        await self.rows.use(project, container_id)
        return Interpreted(ran, is_new, figures, files, trouble)

    async def close(self) -> None:
        """Let go of the sandboxes."""
        await self._sandboxes.close()

    def _limits(self, container: Container) -> Limits:
        settings = self._settings
        return Limits(
            memory_bytes=min(MEMORY_BYTES[container.memory_limit], settings.memory_bytes),
            files_bytes=settings.files_bytes,
            seconds=settings.seconds,
            cpu_seconds=settings.cpu_seconds,
            output_bytes=settings.output_bytes,
        )

    async def _bring(self, container: Container, sandbox: HeldSandbox) -> None:
        """Make the sandbox's files those that are kept."""
        kept = {file.path: file for file in await self.files.all(container.sequence)}
        there = sandbox.files
        for path in there.keys() - kept.keys():
            await sandbox.remove(path)
        for path, file in kept.items():
            if there.get(path) != file.digest:
                await self._send(file, sandbox)

    async def _send(self, file: ContainerFile, sandbox: HeldSandbox) -> None:
        is_first = True
        async for piece in self._blobs.read(file.digest):
            await sandbox.write(file.path, piece, is_first=is_first)
            is_first = False
        if is_first:
            await sandbox.write(file.path, b"", is_first=True)
        await sandbox.written(file.path, file.digest)

    async def _keep(self, container: Container, sandbox: HeldSandbox) -> tuple[list[ContainerFile], str]:
        """Keep the files that the code has changed; what cannot be kept is said and left out."""
        made: list[ContainerFile] = []
        try:
            changed, gone = await sandbox.changes()
            await self.files.forget(container.sequence, gone)
            for file in changed:
                kept = await self._keep_file(container, sandbox, file)
                made.append(kept)
        except (SandboxLost, SandboxRefused) as error:
            return made, f"Its files could not all be read: {error}."
        return made, ""

    async def _keep_file(self, container: Container, sandbox: HeldSandbox, file: SandboxFile) -> ContainerFile:
        blob = await self._blobs.put(sandbox.read(file))
        kept = await self.files.keep(container.sequence, file.path, blob)
        await sandbox.note(file, blob.digest)
        return kept

    async def _keep_figure(self, container: Container, png: bytes) -> Figure:
        """Keep a picture under its id, as OpenAI does."""
        file_id = new_container_file_id()

        async def content() -> AsyncGenerator[bytes]:
            yield png

        blob = await self._blobs.put(content())
        return Figure(png, await self.files.keep(container.sequence, f"{file_id}.png", blob, file_id=file_id))
