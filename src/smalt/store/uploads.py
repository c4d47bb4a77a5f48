"""Files that arrive in parts: an upload collects them for an hour and then becomes a file."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.ids import timed_id
from smalt.store.blobs import Blobs
from smalt.store.database import Database
from smalt.store.filenames import safe_filename
from smalt.store.files import NewFile, StoredFile, add_file
from smalt.store.tables import upload_parts as parts_table
from smalt.store.tables import uploads as table

UploadStatus = Literal["pending", "completed", "cancelled", "expired"]

LIFE_SECONDS = 3600
MOST_BYTES = 8 * 2**30
KEPT_SECONDS = 24 * 3600
SWEEP_SECONDS = 60.0
BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """A file that somebody is about to send in parts."""

    filename: str
    purpose: str
    bytes: int
    mime_type: str
    file_expires_after_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(NewUpload):
    """A file that is being sent in parts; `file` is what it has become."""

    id: str
    project: str
    status: UploadStatus
    created_at: int
    expires_at: int
    file_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPart:
    """A piece of the file; the order of the pieces is said when all are there."""

    id: str
    upload_id: str
    bytes: int
    created_at: int
    digest: str


class Uploads:
    """The uploads of every project; a caller sees its own project's only."""

    def __init__(self, database: Database, blobs: Blobs, *, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock

    async def create(self, project: str, new: NewUpload) -> Upload:
        """Begin an upload."""

        def insert(connection: sa.Connection) -> Upload:
            at = self._clock()
            row = {name: getattr(new, name) for name in NewUpload.__dataclass_fields__}
            row |= {"filename": safe_filename(new.filename), "project": project, "created_at": at}
            row |= {"id": timed_id("upload_"), "status": "pending", "expires_at": at + LIFE_SECONDS}
            connection.execute(sa.insert(table).values(row))
            return Upload(**row)

        return await self._database.write(insert)

    async def add_part(self, project: str, upload_id: str, content: AsyncIterator[bytes]) -> UploadPart:
        """Take in a part; it is durable when this returns."""
        await self._database.read(partial(_find_pending, project=project, upload_id=upload_id, at=self._clock()))
        blob = await self._blobs.put(content)

        def insert(connection: sa.Connection) -> UploadPart:
            _find_pending(connection, project, upload_id, at=self._clock())
            _require_room(connection, upload_id, blob.bytes)
            Blobs.claim(connection, blob)
            part = UploadPart(
                id=timed_id("part_"),
                upload_id=upload_id,
                bytes=blob.bytes,
                created_at=self._clock(),
                digest=blob.digest,
            )
            connection.execute(sa.insert(parts_table).values(asdict(part)))
            return part

        return await self._database.write(insert)

    async def arranged(self, project: str, upload_id: str, part_ids: Sequence[str]) -> tuple[Upload, list[UploadPart]]:
        """A pending upload and its parts in this order; raises `InvalidRequest` when they are not the whole file."""

        def select(connection: sa.Connection) -> tuple[Upload, list[UploadPart]]:
            upload = _find_pending(connection, project, upload_id, at=self._clock())
            return upload, _arranged(connection, upload, part_ids)

        return await self._database.read(select)

    async def content(self, parts: Sequence[UploadPart]) -> AsyncGenerator[bytes]:
        """The bytes of the parts, one after the other."""
        for part in parts:
            async for chunk in self._blobs.read(part.digest):
                yield chunk

    async def complete(self, project: str, upload_id: str, new: NewFile) -> tuple[Upload, StoredFile]:
        """Make the file and end the upload in one write; what it consisted of is given up."""

        def finish(connection: sa.Connection) -> tuple[Upload, StoredFile]:
            upload = _find_pending(connection, project, upload_id, at=self._clock())
            file = add_file(connection, project, new, clock=self._clock)
            _end(connection, upload_id, "completed", file_id=file.id)
            return replace(upload, status="completed", file_id=file.id), file

        return await self._database.write(finish)

    async def cancel(self, project: str, upload_id: str) -> Upload:
        """End an upload and give up its parts."""

        def give_up(connection: sa.Connection) -> Upload:
            upload = _find_pending(connection, project, upload_id, at=self._clock())
            _end(connection, upload_id, "cancelled")
            return replace(upload, status="cancelled")

        return await self._database.write(give_up)


class ExpiredUploads:
    """The sweep that ends uploads whose hour is over, and forgets ended ones after a day."""

    name = "expired-uploads"
    seconds = SWEEP_SECONDS

    def __init__(self, database: Database, *, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._clock = clock

    async def sweep(self) -> None:
        """Give up the parts of uploads that were not completed in time."""
        at = self._clock()
        while await self._database.write(partial(_expire, at=at)):
            pass
        await self._database.write(partial(_purge, before=at - KEPT_SECONDS))


def _find_pending(connection: sa.Connection, project: str, upload_id: str, *, at: int) -> Upload:
    query = sa.select(table).where(table.c.project == project, table.c.id == upload_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"No such Upload object: {upload_id}. Create one with POST /uploads.", param="upload_id")
    upload = Upload(**{name: getattr(row, name) for name in Upload.__dataclass_fields__})
    if upload.status == "pending" and upload.expires_at > at:
        return upload
    status = "expired" if upload.status == "pending" else upload.status
    became = f"; it is the file {upload.file_id}" if upload.file_id else "; create a new one"
    raise InvalidRequest(f"Upload {upload_id} is {status}{became}.", param="upload_id", code="invalid_upload_state")


def _require_room(connection: sa.Connection, upload_id: str, more: int) -> None:
    total = sa.func.coalesce(sa.func.sum(parts_table.c.bytes), 0)
    held = connection.execute(sa.select(total).where(parts_table.c.upload_id == upload_id)).scalar_one()
    if held + more > MOST_BYTES:
        raise InvalidRequest(f"The parts of an upload have at most {MOST_BYTES} bytes together.", param="data")


def _arranged(connection: sa.Connection, upload: Upload, part_ids: Sequence[str]) -> list[UploadPart]:
    rows = connection.execute(sa.select(parts_table).where(parts_table.c.upload_id == upload.id))
    left = {row.id: _part(row) for row in rows}
    parts: list[UploadPart] = []
    for index, part_id in enumerate(part_ids):
        part = left.pop(part_id, None)
        if part is None:
            message = f"Upload {upload.id} has no part '{part_id}', or it is named twice. Name each part once."
            raise InvalidRequest(message, param=f"part_ids[{index}]", code="invalid_value")
        parts.append(part)
    total = sum(part.bytes for part in parts)
    if total != upload.bytes:
        message = f"The parts have {total} bytes together, the upload was declared with {upload.bytes}. "
        raise InvalidRequest(message + "Add what is missing, or name the right parts.", param="part_ids")
    return parts


def _part(row: sa.Row[Any]) -> UploadPart:
    return UploadPart(**{name: getattr(row, name) for name in UploadPart.__dataclass_fields__})


def _end(connection: sa.Connection, upload_id: str, status: UploadStatus, *, file_id: str | None = None) -> None:
    mine = parts_table.c.upload_id == upload_id
    digests = set(connection.execute(sa.select(parts_table.c.digest).where(mine)).scalars())
    connection.execute(sa.delete(parts_table).where(mine))
    connection.execute(sa.update(table).where(table.c.id == upload_id).values(status=status, file_id=file_id))
    for digest in sorted(digests):
        Blobs.release(connection, digest)


def _expire(connection: sa.Connection, at: int) -> bool:
    late = sa.select(table.c.id).where(table.c.status == "pending", table.c.expires_at <= at).limit(BATCH)
    ids = list(connection.execute(late).scalars())
    for upload_id in ids:
        _end(connection, upload_id, "expired")
    return len(ids) == BATCH


def _purge(connection: sa.Connection, before: int) -> None:
    connection.execute(sa.delete(table).where(table.c.status != "pending", table.c.expires_at < before))
