"""The files in vector stores: attached, listed, changed and removed; their text is made by ingestion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.store.cursors import Collection, Slice, fetch_page
from smalt.store.database import Database
from smalt.store.ingestion import Ingestion, IngestionQueue
from smalt.store.paging import Page
from smalt.store.tables import chunks
from smalt.store.tables import files as uploaded
from smalt.store.tables import vector_store_files as table
from smalt.store.vector_store_clearing import drop_chunks
from smalt.store.vector_store_rows import (
    FileStatus,
    VectorStore,
    bump,
    find_usable_store,
    find_vector_store,
    touch,
)

Attributes = Mapping[str, str | bool | int | float]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as a client wants it in a vector store; `param` is the field that named it."""

    file_id: str
    max_chunk_size_tokens: int
    chunk_overlap_tokens: int
    attributes: Attributes | None = None
    param: str = "file_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorStoreFile:
    """A file in a vector store; `sequence` is its number wherever chunks are named."""

    sequence: int
    file_id: str
    vector_store_id: str
    created_at: int
    status: FileStatus
    error_code: str | None
    error_message: str | None
    max_chunk_size_tokens: int
    chunk_overlap_tokens: int
    attributes: Attributes
    usage_bytes: int


@dataclass(frozen=True, slots=True)
class ChunkedText:
    """The text of a file in reading order; a chunk repeats the end of the one before when they overlap."""

    chunks: Sequence[str]
    is_overlapping: bool


class VectorStoreFiles:
    """The files in the vector stores of every project; a caller sees its own project's only."""

    def __init__(self, database: Database, ingestion: IngestionQueue) -> None:
        self._database = database
        self._ingestion = ingestion

    async def attach(self, project: str, vector_store_id: str, attachment: Attachment) -> VectorStoreFile:
        """Put a file into a store, in the place of an earlier attachment, and ask for its ingestion."""

        def insert(connection: sa.Connection) -> VectorStoreFile:
            store = find_usable_store(connection, project, vector_store_id)
            touch(connection, store)
            attach_and_ask(connection, store, [attachment], self._ingestion)
            return find_file(connection, store, attachment.file_id)

        return await self._database.write(insert)

    async def get(self, project: str, vector_store_id: str, file_id: str) -> VectorStoreFile:
        """Find one; `NotFound` when the project has no such store, or the store no such file."""

        def select(connection: sa.Connection) -> VectorStoreFile:
            return find_file(connection, find_vector_store(connection, project, vector_store_id), file_id)

        return await self._database.read(select)

    async def page(
        self, project: str, vector_store_id: str, page: Slice, *, status: FileStatus | None = None
    ) -> Page[VectorStoreFile]:
        """One page of a store's files, or of those with this status."""

        def select(connection: sa.Connection) -> Page[VectorStoreFile]:
            store = find_vector_store(connection, project, vector_store_id)
            return fetch_files(connection, store, table.c.vector_store == store.sequence, page, status=status)

        return await self._database.read(select)

    async def update(
        self, project: str, vector_store_id: str, file_id: str, attributes: Attributes | None
    ) -> VectorStoreFile:
        """Replace the attributes of one; the next search filters by the new ones."""

        def replace(connection: sa.Connection) -> VectorStoreFile:
            store = find_vector_store(connection, project, vector_store_id)
            if not store.is_expired:
                touch(connection, store)
            file = find_file(connection, store, file_id)
            values = {"attributes": dict(attributes or {}), "version": bump(connection, store.sequence)}
            connection.execute(sa.update(table).where(table.c.sequence == file.sequence).values(values))
            return find_file(connection, store, file_id)

        return await self._database.write(replace)

    async def detach(self, project: str, vector_store_id: str, file_id: str) -> None:
        """Take a file out of a store; the file itself stays."""

        def remove(connection: sa.Connection) -> None:
            store = find_vector_store(connection, project, vector_store_id)
            if not store.is_expired:
                touch(connection, store)
            detach(connection, store, [find_file(connection, store, file_id).sequence])

        await self._database.write(remove)

    async def text(self, project: str, vector_store_id: str, file_id: str) -> ChunkedText:
        """The text of a completed file; 400 when there is none yet, or none any more."""

        def select(connection: sa.Connection) -> ChunkedText:
            store = find_usable_store(connection, project, vector_store_id)
            file = find_file(connection, store, file_id)
            _require_completed(file)
            query = sa.select(chunks.c.text).where(chunks.c.file == file.sequence).order_by(chunks.c.position)
            return ChunkedText(list(connection.execute(query).scalars()), file.chunk_overlap_tokens > 0)

        return await self._database.read(select)


def attach_and_ask(
    connection: sa.Connection, store: VectorStore, attachments: Sequence[Attachment], ingestion: IngestionQueue
) -> None:
    """Attach files and ask for one job that ingests them, within a write."""
    sequences = attach(connection, store, attachments)
    if sequences:
        job_id = f"ingest_{sequences[0]}"
        connection.execute(sa.update(table).where(table.c.sequence.in_(sequences)).values(job_id=job_id))
        ingestion.ask(connection, Ingestion(job_id, store.project, sequences))


def attach(
    connection: sa.Connection, store: VectorStore, attachments: Sequence[Attachment], *, batch_id: str | None = None
) -> list[int]:
    """Put files into a store within a write, replacing earlier attachments; returns the new rows' sequences.

    A file that is named twice is attached once, as it is named first. Raises `NotFound` for a file that the project
    does not have.
    """
    wanted: dict[str, Attachment] = {}
    for one in attachments:
        wanted.setdefault(one.file_id, one)
    _require_files(connection, store.project, attachments)
    live = (table.c.vector_store == store.sequence, table.c.deleted_at.is_(None), table.c.file_id.in_(wanted))
    detach(connection, store, list(connection.execute(sa.select(table.c.sequence).where(*live)).scalars()))
    shared = {"vector_store": store.sequence, "batch_id": batch_id, "job_id": batch_id, "created_at": now()}
    shared |= {"status": "in_progress", "usage_bytes": 0, "chunks": 0, "version": bump(connection, store.sequence)}
    rows = [{**shared, **_options(one)} for one in wanted.values()]
    if not rows:
        return []
    inserted = sa.insert(table).returning(table.c.sequence, sort_by_parameter_order=True)
    return list(connection.execute(inserted, rows).scalars())


def detach(connection: sa.Connection, store: VectorStore, sequences: Sequence[int]) -> None:
    """Take rows out of a store within a write; what chunks are left of large files, the sweep removes."""
    if sequences:
        _remove(connection, store.sequence, sequences)


def detach_everywhere(connection: sa.Connection, file_id: str) -> None:
    """Take a file that is being deleted out of every vector store, within a write."""
    query = sa.select(table.c.vector_store, table.c.sequence)
    query = query.where(table.c.file_id == file_id, table.c.deleted_at.is_(None))
    for row in connection.execute(query).all():
        _remove(connection, row.vector_store, [row.sequence])


def find_file(connection: sa.Connection, store: VectorStore, file_id: str) -> VectorStoreFile:
    """The file of this id in a store; raises `NotFound`."""
    query = sa.select(table).where(
        table.c.vector_store == store.sequence, table.c.file_id == file_id, table.c.deleted_at.is_(None)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"No file found with id '{file_id}' in vector store '{store.id}'.", param="file_id")
    return _file(row, store.id)


def fetch_files(
    connection: sa.Connection,
    store: VectorStore,
    scope: sa.ColumnElement[bool],
    page: Slice,
    *,
    status: FileStatus | None = None,
) -> Page[VectorStoreFile]:
    """One page of the files of a store that fit `scope`, or of those of them with this status."""
    where = (table.c.status == status,) if status is not None else ()
    found = fetch_page(connection, Collection(table, table.c.file_id, scope, "file in this list"), page, where=where)
    return Page([_file(row, store.id) for row in found.items], has_more=found.has_more)


def _remove(connection: sa.Connection, store: int, sequences: Sequence[int]) -> None:
    # What is left of large files, the sweep finds by their number of chunks.
    left = 0 if drop_chunks(connection, sequences) else 1
    gone = {"deleted_at": now(), "attributes": None, "chunks": left, "version": bump(connection, store)}
    connection.execute(sa.update(table).where(table.c.sequence.in_(sequences)).values(gone))


def _require_files(connection: sa.Connection, project: str, attachments: Sequence[Attachment]) -> None:
    ids = {one.file_id for one in attachments}
    query = sa.select(uploaded.c.id).where(
        uploaded.c.id.in_(ids),
        uploaded.c.project == project,
        uploaded.c.deleted_at.is_(None),
        sa.or_(uploaded.c.expires_at.is_(None), uploaded.c.expires_at > now()),
    )
    found = set(connection.execute(query).scalars())
    for one in attachments:
        if one.file_id not in found:
            raise NotFound(f"No file found with id '{one.file_id}'. Upload it first.", param=one.param)


def _require_completed(file: VectorStoreFile) -> None:
    if file.status == "completed":
        return
    reason = {
        "in_progress": "is still being processed; ask again when its status is completed",
        "failed": f"could not be processed: {file.error_message}",
        "cancelled": "was cancelled before it was processed; attach it again",
    }[file.status]
    raise InvalidRequest(f"The file '{file.file_id}' {reason}.", param="file_id")


def _options(one: Attachment) -> dict[str, Any]:
    return {
        "file_id": one.file_id,
        "max_chunk_size_tokens": one.max_chunk_size_tokens,
        "chunk_overlap_tokens": one.chunk_overlap_tokens,
        "attributes": dict(one.attributes or {}),
    }


def _file(row: sa.Row[Any], vector_store_id: str) -> VectorStoreFile:
    return VectorStoreFile(
        sequence=row.sequence,
        file_id=row.file_id,
        vector_store_id=vector_store_id,
        created_at=row.created_at,
        status=row.status,
        error_code=row.error_code,
        error_message=row.error_message,
        max_chunk_size_tokens=row.max_chunk_size_tokens,
        chunk_overlap_tokens=row.chunk_overlap_tokens,
        attributes=row.attributes or {},
        usage_bytes=row.usage_bytes,
    )
