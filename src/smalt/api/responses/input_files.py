"""Reads the files and images that a request's items name, so that a chat model can take them."""

import asyncio
import base64
import binascii
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from smalt.api.file_urls import FileUrls
from smalt.api.responses.input_items import content_parts
from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.settings import Settings
from smalt.retrieval.extraction.process import DocumentReader
from smalt.retrieval.extraction.refusal import DocumentRefused
from smalt.retrieval.ingestion.scratch import Scratch
from smalt.store.blobs import Blobs
from smalt.store.database import Database
from smalt.store.filenames import safe_filename
from smalt.store.files import Files, StoredFile

Json = dict[str, Any]

READ = "_read"
"""The key of an item under which what was read is kept, by `place`; it is never shown."""

MOST_CHARACTERS = 10 * 2**20
MOST_IMAGE_BYTES = 20 * 2**20
DATA_URL = re.compile(r"data:[^,;]*(?:;[^,;]*)*;base64,")
IMAGES: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
NEEDS_READING = frozenset({"input_file", "input_image", "computer_screenshot"})


def place(field: str, position: int) -> str:
    """The key of a part under `READ`."""
    return f"{field}.{position}"


@dataclass(frozen=True, slots=True)
class _Part:
    """A part that names a file, and where it stands in the request."""

    value: Json
    param: str
    project: str


class InputFiles:
    """Reads files: those of the project, those sent along, and those at an address. Close it.

    `local_path` is `Blobs.local_path`; what is read lies in `scratch` meanwhile.
    """

    def __init__(
        self,
        files: Files,
        local_path: Callable[[str, Path], Awaitable[Path]],
        reader: DocumentReader,
        urls: FileUrls,
        scratch: Scratch,
    ) -> None:
        self._files = files
        self._local_path = local_path
        self._reader = reader
        self._urls = urls
        self._scratch = scratch

    @classmethod
    def of(cls, settings: Settings, database: Database, blobs: Blobs) -> Self:
        """The reader of a server with these settings."""
        return cls(
            Files(database),
            blobs.local_path,
            DocumentReader(settings.retrieval),
            FileUrls(settings.responses.file_hosts),
            Scratch(settings.data_dir),
        )

    async def read(self, project: str, items: Sequence[Json], *, param: str | None = None) -> list[Json]:
        """The items with what their files say; what was read before stays as it is.

        Errors name a part by its place in `input`, or `param` when the items come from elsewhere.
        """
        return [
            await self._read_item(project, item, param or f"input[{position}]") for position, item in enumerate(items)
        ]

    async def close(self) -> None:
        """End the processes that read documents."""
        await self._reader.close()
        await asyncio.to_thread(self._scratch.remove)

    async def _read_item(self, project: str, item: Json, param: str) -> Json:
        found: dict[str, str] = {}
        for field, position, part in content_parts(item):
            if part.get("type") in NEEDS_READING and place(field, position) not in item.get(READ, {}):
                path = f"{param}.{field}" + (f"[{position}]" if isinstance(item[field], list) else "")
                said = await self._read_part(_Part(part, path, project))
                if said is not None:
                    found[place(field, position)] = said
        return {**item, READ: {**item.get(READ, {}), **found}} if found else item

    async def _read_part(self, part: _Part) -> str | None:
        """What the part says: the text of a document, the data URL of an image; None when the part says it itself."""
        if part.value["type"] != "input_file":
            return await self._image(part) if part.value.get("file_id") else None
        async with self._folder() as folder:
            path, filename = await self._document(part, folder)
            return await self._text(path, safe_filename(filename), folder, part.param)

    async def _image(self, part: _Part) -> str:
        file = await self._find(part)
        if file.bytes > MOST_IMAGE_BYTES:
            raise InvalidRequest(
                f"The image '{file.id}' has {file.bytes} bytes; the most is {MOST_IMAGE_BYTES}. Make it smaller.",
                param=f"{part.param}.file_id",
            )
        async with self._folder() as folder:
            path = await self._local_path(file.digest, folder)
            content = await asyncio.to_thread(path.read_bytes)
        kind = next((kind for signature, kind in IMAGES.items() if content.startswith(signature)), None)
        if kind is None:
            raise InvalidRequest(
                f"The file '{file.id}' is no image that models take. Upload a PNG, JPEG, GIF or WebP.",
                param=f"{part.param}.file_id",
                code="invalid_image_format",
            )
        return f"data:{kind};base64,{base64.b64encode(content).decode()}"

    async def _document(self, part: _Part, folder: Path) -> tuple[Path, str]:
        """Where the document lies now, and its name."""
        asked = part.value
        path = folder / "document"
        if asked.get("file_id"):
            file = await self._find(part)
            return await self._local_path(file.digest, folder), file.filename
        if asked.get("file_url"):
            fetched = await self._urls.fetch(asked["file_url"], path, param=f"{part.param}.file_url")
            return path, asked.get("filename") or fetched
        await asyncio.to_thread(path.write_bytes, _decoded(asked["file_data"], f"{part.param}.file_data"))
        return path, asked.get("filename") or "file"

    async def _find(self, part: _Part) -> StoredFile:
        try:
            return await self._files.get(part.project, part.value["file_id"])
        except NotFound as error:
            raise NotFound(error.message, param=f"{part.param}.file_id") from error

    async def _text(self, path: Path, filename: str, folder: Path, param: str) -> str:
        try:
            async with self._reader.read(path, filename, folder) as document:
                text = await asyncio.to_thread(_joined, document.passages())
        except DocumentRefused as refusal:
            raise InvalidRequest(
                f"The file of '{param}' cannot be read. {refusal.message}", param=param, code=refusal.code
            ) from refusal
        if text is None:
            raise InvalidRequest(
                f"The file of '{param}' holds more than {MOST_CHARACTERS} characters of text. Split it, or put it into "
                "a vector store and offer the tool file_search.",
                param=param,
            )
        return f'<file name="{filename}">\n{text}\n</file>'

    @asynccontextmanager
    async def _folder(self) -> AsyncGenerator[Path]:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._scratch.path))
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _decoded(text: str, param: str) -> bytes:
    prefix = DATA_URL.match(text)
    try:
        return base64.b64decode(text[prefix.end() :] if prefix else text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            f"Invalid '{param}': it is not base64. Send the file as data:application/pdf;base64,… or the base64 alone.",
            param=param,
            code="invalid_value",
        ) from None


def _joined(passages: Any) -> str | None:
    """The whole text, or None when there is too much of it."""
    texts: list[str] = []
    size = 0
    for passage in passages:
        size += len(passage.text)
        if size > MOST_CHARACTERS:
            return None
        texts.append(passage.text)
    return "".join(texts).strip()
