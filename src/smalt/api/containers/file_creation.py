"""Puts a file into a container: a copy of a kept one, or what a form sends."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import cast

from smalt.core.errors import InvalidRequest
from smalt.http.body import Body
from smalt.http.multipart import Part
from smalt.store.blobs import Blobs, Staged
from smalt.store.container_files import ContainerFile, ContainerFiles
from smalt.store.containers import Container

UNNAMED = "upload"
ADVICE = "Send less, or raise code_interpreter.files_bytes."


class ContainerFileCreation:
    """Takes in one file for one container."""

    def __init__(self, files: ContainerFiles, blobs: Blobs, most_bytes: int) -> None:
        self._files = files
        self._blobs = blobs
        self._most_bytes = most_bytes

    async def create(self, body: Body, project: str, container: Container) -> ContainerFile:
        """The file that a form holds, or a copy of the one that a form or JSON names."""
        if body.is_json:
            await body.read()
            return await self._copy(_named(await body.json()), project, container)
        file_id, filename, staged = "", UNNAMED, None
        async with AsyncExitStack() as stack:
            async for part in body.form_parts():
                if part.name == "file" and staged is None:
                    filename = part.filename or UNNAMED
                    staged = await stack.enter_async_context(self._staged(part))
                elif part.name == "file_id":
                    file_id = await part.text()
            if staged is not None:
                return await self._keep(staged, filename, container)
        return await self._copy(file_id, project, container)

    def _staged(self, part: Part) -> AbstractAsyncContextManager[Staged]:
        return self._blobs.staged(part.limited(self._most_bytes, advice=ADVICE))

    async def _keep(self, staged: Staged, filename: str, container: Container) -> ContainerFile:
        blob = await self._blobs.keep(staged)
        return await self._files.add(container.sequence, filename, blob, most_bytes=self._most_bytes)

    async def _copy(self, file_id: str, project: str, container: Container) -> ContainerFile:
        if not file_id:
            raise InvalidRequest(
                "Missing required parameter: 'file' or 'file_id'. Send a file in a form, or name an uploaded one.",
                param="file",
                code="missing_required_parameter",
            )
        sequence, most = container.sequence, self._most_bytes
        made = await self._files.copy(sequence, project, [file_id], most_bytes=most)
        if made:
            return made[0]
        return next(file for file in await self._files.all(sequence) if file.file_id == file_id)


def _named(value: object) -> str:
    """The `file_id` of a JSON body."""
    file_id = cast("dict[str, object]", value).get("file_id", "") if isinstance(value, dict) else None
    if not isinstance(file_id, str):
        raise InvalidRequest(
            "The body must be an object whose 'file_id' is the id of a file.", param="file_id", code="invalid_type"
        )
    return file_id
