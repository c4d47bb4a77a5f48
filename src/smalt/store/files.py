"""The files of every project: made, listed, deleted, and gone when their time is over."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import NotFound
from smalt.core.ids import short_id
from smalt.store.blobs import Blob, Blobs
from smalt.store.cursors import Collection, Slice, fetch_page
from smalt.store.database import Database
from smalt.store.filenames import safe_filename
from smalt.store.paging import Page
from smalt.store.tables import files as table
from smalt.store.vector_store_files import detach_everywhere

FileStatus = Literal["processed", "error"]

TOMBSTONE_SECONDS = 24 * 3600
SWEEP_SECONDS = 15.0
BATCH = 20
PURGED_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file to be made of kept content; without an `id` it gets one of OpenAI's shape."""

    blob: Blob
    filename: str
    purpose: str
    expires_after_seconds: int | None = None
    status: FileStatus = "processed"
    status_details: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that is there; its name is harmless, its content is the blob of this digest."""

    id: str
    project: str
    purpose: str
    filename: str
    bytes: int
    created_at: int
    expires_at: int | None
    status: FileStatus
    status_details: str | None
    digest: str


class Files:
    """The files of every project; a caller sees its own project's only."""

    def __init__(self, database: Database, *, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._clock = clock

    async def create(self, project: str, new: NewFile) -> StoredFile:
        """Make a file; durable when this returns."""
        return await self._database.write(partial(add_file, project=project, new=new, clock=self._clock))

    async def get(self, project: str, file_id: str) -> StoredFile:
        """Find one; `NotFound` when this project has none of this id, or its time is over."""
        return await self._database.read(partial(find_file, project=project, file_id=file_id, clock=self._clock))

    async def list(self, project: str, page: Slice, *, purpose: str | None = None) -> Page[StoredFile]:
        """One page by time of creation."""

        def select(connection: sa.Connection) -> Page[StoredFile]:
            collection = Collection(table, table.c.id, table.c.project == project, "file")
            wanted = [_unexpired(self._clock()), *([] if purpose is None else [table.c.purpose == purpose])]
            found = fetch_page(connection, collection, page, where=tuple(wanted))
            return Page([_file(row) for row in found.items], has_more=found.has_more)

        return await self._database.read(select)

    async def delete(self, project: str, file_id: str) -> None:
        """Delete one, and take it out of every vector store; `NotFound` as in `get`."""

        def remove(connection: sa.Connection) -> None:
            find_file(connection, project, file_id, clock=self._clock)
            remove_file(connection, file_id)

        await self._database.write(remove)


class ExpiredFiles:
    """The sweep that deletes files whose time is over; until then they are out of sight already."""

    name = "expired-files"
    seconds = SWEEP_SECONDS

    def __init__(self, database: Database, *, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._clock = clock

    async def sweep(self) -> None:
        """Delete what has expired, a little at a time, and forget what was deleted long ago."""
        at = self._clock()
        while await self._database.write(partial(_remove_expired, at=at)):
            pass
        while await self._database.write(partial(_purge, before=at - TOMBSTONE_SECONDS)):
            pass


def add_file(connection: sa.Connection, project: str, new: NewFile, *, clock: Callable[[], int] = now) -> StoredFile:
    """Make a file within a write."""
    at = clock()
    file = StoredFile(
        id=new.id or short_id("file-", 22),
        project=project,
        purpose=new.purpose,
        filename=safe_filename(new.filename),
        bytes=new.blob.bytes,
        created_at=at,
        expires_at=None if new.expires_after_seconds is None else at + new.expires_after_seconds,
        status=new.status,
        status_details=new.status_details,
        digest=new.blob.digest,
    )
    Blobs.claim(connection, new.blob)
    connection.execute(sa.insert(table).values(asdict(file)))
    return file


def find_file(connection: sa.Connection, project: str, file_id: str, *, clock: Callable[[], int] = now) -> StoredFile:
    """The file of this id; raises `NotFound` when this project has none, or its time is over."""
    query = sa.select(table).where(table.c.project == project, table.c.id == file_id, table.c.deleted_at.is_(None))
    row = connection.execute(query.where(_unexpired(clock()))).one_or_none()
    if row is None:
        raise NotFound(
            f"No such File object: {file_id}. It was never here, was deleted or has expired; list the files to see "
            "those there are.",
            param="id",
        )
    return _file(row)


def remove_file(connection: sa.Connection, file_id: str) -> None:
    """Delete a file within a write: its row stays for a day without content, so that paging can go on after it."""
    live = sa.and_(table.c.id == file_id, table.c.deleted_at.is_(None))
    digest = connection.execute(sa.select(table.c.digest).where(live)).scalar_one_or_none()
    connection.execute(sa.update(table).where(live).values(digest=None, deleted_at=now()))
    detach_everywhere(connection, file_id)
    if digest is not None:
        Blobs.release(connection, digest)


def _remove_expired(connection: sa.Connection, at: int) -> bool:
    query = sa.select(table.c.id).where(table.c.expires_at <= at, table.c.deleted_at.is_(None)).limit(BATCH)
    ids = list(connection.execute(query).scalars())
    for file_id in ids:
        remove_file(connection, file_id)
    return len(ids) == BATCH


def _purge(connection: sa.Connection, before: int) -> bool:
    old = sa.select(table.c.sequence).where(table.c.deleted_at < before).limit(PURGED_AT_ONCE)
    sequences = list(connection.execute(old).scalars())
    connection.execute(sa.delete(table).where(table.c.sequence.in_(sequences)))
    return len(sequences) == PURGED_AT_ONCE


def _unexpired(at: int) -> sa.ColumnElement[bool]:
    return sa.or_(table.c.expires_at.is_(None), table.c.expires_at > at)


def _file(row: sa.Row[Any]) -> StoredFile:
    return StoredFile(**{name: getattr(row, name) for name in StoredFile.__dataclass_fields__})
