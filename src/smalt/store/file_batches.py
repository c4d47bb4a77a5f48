"""Batches of files that were attached to a vector store at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import NotFound
from smalt.core.ids import random_id
from smalt.store.cursors import Slice
from smalt.store.database import Database
from smalt.store.ingestion import Ingestion, IngestionQueue
from smalt.store.paging import Page
from smalt.store.tables import vector_store_file_batches as table
from smalt.store.tables import vector_store_files as files
from smalt.store.vector_store_clearing import PIECE_FILES, drop_chunks
from smalt.store.vector_store_files import Attachment, VectorStoreFile, attach, fetch_files
from smalt.store.vector_store_rows import (
    FileCounts,
    FileStatus,
    VectorStore,
    bump,
    count_batch_files,
    find_usable_store,
    find_vector_store,
    touch,
)

BatchStatus = Literal["in_progress", "completed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class FileBatch:
    """A batch; its counts are over the files that are still in the store."""

    id: str
    vector_store_id: str
    created_at: int
    is_cancelled: bool
    file_counts: FileCounts

    @property
    def status(self) -> BatchStatus:
        """How far it is: failed when every file failed, cancelled when it was cancelled before its end."""
        counts = self.file_counts
        if counts.in_progress:
            return "in_progress"
        if self.is_cancelled:
            return "cancelled"
        return "failed" if counts.total and counts.failed == counts.total else "completed"


class FileBatches:
    """The file batches of every project; a caller sees its own project's only."""

    def __init__(self, database: Database, ingestion: IngestionQueue) -> None:
        self._database = database
        self._ingestion = ingestion

    async def create(self, project: str, vector_store_id: str, attachments: Sequence[Attachment]) -> FileBatch:
        """Attach files at once and ask for the job that ingests them; all or, when one is unknown, none."""
        batch_id = random_id("vsfb_")

        def insert(connection: sa.Connection) -> FileBatch:
            store = find_usable_store(connection, project, vector_store_id)
            touch(connection, store)
            row = {"id": batch_id, "vector_store": store.sequence, "created_at": now()}
            connection.execute(sa.insert(table).values(row))
            attach(connection, store, attachments, batch_id=batch_id)
            self._ingestion.ask(connection, Ingestion(batch_id, project, batch_id=batch_id))
            return _find(connection, store, batch_id)

        return await self._database.write(insert)

    async def get(self, project: str, vector_store_id: str, batch_id: str) -> FileBatch:
        """Find one; `NotFound` when the project has no such store, or the store no such batch."""

        def select(connection: sa.Connection) -> FileBatch:
            return _find(connection, find_vector_store(connection, project, vector_store_id), batch_id)

        return await self._database.read(select)

    async def list_files(
        self, project: str, vector_store_id: str, batch_id: str, page: Slice, *, status: FileStatus | None = None
    ) -> Page[VectorStoreFile]:
        """One page of a batch's files, or of those with this status."""

        def select(connection: sa.Connection) -> Page[VectorStoreFile]:
            store = find_vector_store(connection, project, vector_store_id)
            _find(connection, store, batch_id)
            return fetch_files(connection, store, files.c.batch_id == batch_id, page, status=status)

        return await self._database.read(select)

    async def cancel(self, project: str, vector_store_id: str, batch_id: str) -> FileBatch:
        """Cancel the files that are not finished, at once; a batch that is finished stays as it is."""

        def stop(connection: sa.Connection) -> FileBatch:
            store = find_vector_store(connection, project, vector_store_id)
            _find(connection, store, batch_id)
            if cancel_files(connection, store.sequence, files.c.batch_id == batch_id):
                connection.execute(sa.update(table).where(table.c.id == batch_id).values(cancelled_at=now()))
                self._ingestion.cancel(connection, batch_id)
            return _find(connection, store, batch_id)

        return await self._database.write(stop)


def cancel_files(connection: sa.Connection, store: int, scope: sa.ColumnElement[bool]) -> bool:
    """Cancel the unfinished files of a store that fit `scope`, within a write; whether there were any."""
    unfinished = (files.c.vector_store == store, scope, files.c.status == "in_progress", files.c.deleted_at.is_(None))
    sequences = list(connection.execute(sa.select(files.c.sequence).where(*unfinished)).scalars())
    if not sequences:
        return False
    values = {"status": "cancelled", "usage_bytes": 0, "chunks": 0, "version": bump(connection, store)}
    connection.execute(sa.update(files).where(*unfinished).values(values))
    for start in range(0, len(sequences), PIECE_FILES):
        # Only the few files that a runner is at have any chunks yet.
        while not drop_chunks(connection, sequences[start : start + PIECE_FILES]):
            pass
    return True


def _find(connection: sa.Connection, store: VectorStore, batch_id: str) -> FileBatch:
    query = sa.select(table).where(table.c.id == batch_id, table.c.vector_store == store.sequence)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"No vector store file batch found with id '{batch_id}' in vector store '{store.id}'.", param="batch_id"
        )
    counts = count_batch_files(connection, batch_id)
    return FileBatch(batch_id, store.id, row.created_at, row.cancelled_at is not None, counts)
