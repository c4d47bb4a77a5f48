"""The files in containers: put there by their users, or made by code."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.ids import timed_id
from smalt.store.blobs import Blob, Blobs
from smalt.store.cursors import Collection, Slice, fetch_page
from smalt.store.database import Database
from smalt.store.filenames import safe_filename
from smalt.store.files import find_file
from smalt.store.paging import Page
from smalt.store.tables import container_files as table

FileSource = Literal["user", "assistant"]

MOST_FILES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFile:
    """A file in a container; `path` is below the container's folder."""

    id: str
    container: int
    path: str
    source: FileSource
    file_id: str | None
    bytes: int
    created_at: int
    digest: str

    @property
    def filename(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name


class ContainerFiles:
    """The files of containers, which the caller has found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, container: int) -> list[ContainerFile]:
        """Every file, oldest first."""

        def select(connection: sa.Connection) -> list[ContainerFile]:
            query = sa.select(table).where(*_live(container)).order_by(table.c.created_at, table.c.sequence)
            return [_file(row) for row in connection.execute(query)]

        return await self._database.read(select)

    async def page(self, container: int, asked: Slice) -> Page[ContainerFile]:
        """One page by time of creation."""

        def select(connection: sa.Connection) -> Page[ContainerFile]:
            collection = Collection(table, table.c.id, table.c.container == container, "file of this container")
            found = fetch_page(connection, collection, asked)
            return Page([_file(row) for row in found.items], has_more=found.has_more)

        return await self._database.read(select)

    async def get(self, container: int, file_id: str) -> ContainerFile:
        """Find one; `NotFound` when the container has none of this id."""
        return await self._database.read(lambda connection: _find(connection, container, file_id))

    async def add(self, container: int, filename: str, blob: Blob, *, most_bytes: int) -> ContainerFile:
        """Put in what a user has sent; a name that is taken gets the file's id in front."""

        def insert(connection: sa.Connection) -> ContainerFile:
            _require_room(connection, container, blob.bytes, most_bytes)
            Blobs.claim(connection, blob)
            return _insert(connection, container, _free_path(connection, container, filename), blob.digest, blob.bytes)

        return await self._database.write(insert)

    async def copy(
        self, container: int, project: str, file_ids: Sequence[str], *, most_bytes: int
    ) -> list[ContainerFile]:
        """Put in copies of kept files, those that are not there yet; `NotFound` for one the project does not have."""
        return await self._database.write(
            lambda connection: copy_files(connection, container, project, file_ids, most_bytes=most_bytes)
        )

    async def keep(self, container: int, path: str, blob: Blob, *, file_id: str | None = None) -> ContainerFile:
        """Keep what code has written: a new file, or new content of one that keeps its id."""

        def write(connection: sa.Connection) -> ContainerFile:
            Blobs.claim(connection, blob)
            row = connection.execute(sa.select(table).where(*_live(container), table.c.path == path)).one_or_none()
            if row is None:
                return _insert(connection, container, path, blob.digest, blob.bytes, source="assistant", id_=file_id)
            changed = sa.update(table).where(table.c.sequence == row.sequence)
            connection.execute(changed.values(digest=blob.digest, bytes=blob.bytes))
            if row.digest != blob.digest:
                Blobs.release(connection, row.digest)
            return _find(connection, container, row.id)

        return await self._database.write(write)

    async def delete(self, container: int, file_id: str) -> None:
        """Delete one; `NotFound` as in `get`."""

        def remove(connection: sa.Connection) -> None:
            _find(connection, container, file_id)
            drop_files(connection, table.c.id == file_id, now())

        await self._database.write(remove)

    async def forget(self, container: int, paths: Sequence[str]) -> None:
        """Delete what code has removed."""
        gone = sa.and_(table.c.container == container, table.c.path.in_(paths))
        await self._database.write(lambda connection: drop_files(connection, gone, now()))


def copy_files(
    connection: sa.Connection, container: int, project: str, file_ids: Sequence[str], *, most_bytes: int | None
) -> list[ContainerFile]:
    """Put copies of kept files into a container, within a write."""
    there = set(connection.execute(sa.select(table.c.file_id).where(*_live(container))).scalars())
    made: list[ContainerFile] = []
    for file_id in dict.fromkeys(file_ids):
        if file_id in there:
            continue
        kept = find_file(connection, project, file_id)
        if most_bytes is not None:
            _require_room(connection, container, kept.bytes, most_bytes)
        path = _free_path(connection, container, kept.filename)
        made.append(_insert(connection, container, path, kept.digest, kept.bytes, file_id=file_id))
    return made


def drop_files(connection: sa.Connection, which: sa.ColumnElement[bool], at: int) -> None:
    """Delete files within a write; their rows stay for a while, without content."""
    live = sa.and_(which, table.c.deleted_at.is_(None))
    digests = set(connection.execute(sa.select(table.c.digest).where(live)).scalars())
    connection.execute(sa.update(table).where(live).values(digest=None, deleted_at=at))
    for digest in sorted(one for one in digests if one is not None):
        Blobs.release(connection, digest)


def _insert(
    connection: sa.Connection,
    container: int,
    path: str,
    digest: str,
    size: int,
    *,
    source: FileSource = "user",
    file_id: str | None = None,
    id_: str | None = None,
) -> ContainerFile:
    file = ContainerFile(
        id=id_ or new_container_file_id(),
        container=container,
        path=path,
        source=source,
        file_id=file_id,
        bytes=size,
        created_at=now(),
        digest=digest,
    )
    connection.execute(sa.insert(table).values(asdict(file)))
    return file


def new_container_file_id() -> str:
    """An id of OpenAI's shape."""
    return timed_id("cfile_")


def _find(connection: sa.Connection, container: int, file_id: str) -> ContainerFile:
    row = connection.execute(sa.select(table).where(*_live(container), table.c.id == file_id)).one_or_none()
    if row is None:
        raise NotFound(f"Container file with id '{file_id}' not found. List the container's files to see them.")
    return _file(row)


def _require_room(connection: sa.Connection, container: int, size: int, most_bytes: int) -> None:
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(table.c.bytes), 0)).where(*_live(container))
    count, taken = connection.execute(query).one()
    if count >= MOST_FILES:
        raise InvalidRequest(f"The container has {MOST_FILES} files, and no more fit. Delete some.")
    if taken + size > most_bytes:
        raise InvalidRequest(
            f"The container's files would take {taken + size} bytes; the most is {most_bytes}. Delete some, or raise "
            "code_interpreter.files_bytes."
        )


def _free_path(connection: sa.Connection, container: int, filename: str) -> str:
    path = safe_filename(filename)
    taken = connection.execute(sa.select(table.c.id).where(*_live(container), table.c.path == path)).first()
    return path if taken is None else f"{timed_id('')}-{path}"


def _live(container: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.container == container, table.c.deleted_at.is_(None))


def _file(row: sa.Row[Any]) -> ContainerFile:
    return ContainerFile(**{name: getattr(row, name) for name in ContainerFile.__dataclass_fields__})
