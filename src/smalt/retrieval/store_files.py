"""The files that a search may find in a vector store, kept in memory for as long as nothing about them changes."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.store.database import Database
from smalt.store.tables import files, vector_store_files
from smalt.store.vector_stores import VectorStore

MOST_FILES_KEPT = 50_000
"""Files of all stores together that are kept in memory; the least used stores are let go first."""


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file that was brought into a store; `sequence` is its number wherever chunks are named."""

    sequence: int
    file_id: str
    filename: str
    attributes: Mapping[str, Any]
    chunks: int
    usage_bytes: int
    expires_at: int | None


class StoreFiles:
    """Reads the files of stores; what was read stays true until the store's version moves on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[int, tuple[int, tuple[StoreFile, ...]]] = OrderedDict()

    async def of(self, store: VectorStore) -> tuple[StoreFile, ...]:
        """The files that a search may find now, in the order in which they came."""
        version, found = self._kept.get(store.sequence, (None, ()))
        if version != store.version:
            found = await self._database.read(lambda connection: read_files(connection, store.sequence))
            self._keep(store, found)
        self._kept.move_to_end(store.sequence)
        moment = now()
        return tuple(one for one in found if one.expires_at is None or one.expires_at > moment)

    def _keep(self, store: VectorStore, found: tuple[StoreFile, ...]) -> None:
        self._kept[store.sequence] = (store.version, found)
        self._kept.move_to_end(store.sequence)
        while len(self._kept) > 1 and sum(len(kept) for _, kept in self._kept.values()) > MOST_FILES_KEPT:
            self._kept.popitem(last=False)


def read_files(connection: sa.Connection, vector_store: int) -> tuple[StoreFile, ...]:
    """The completed files of a store with their names, in the order in which they came."""
    attached = vector_store_files.c
    query = (
        sa.select(
            attached.sequence,
            attached.file_id,
            files.c.filename,
            attached.attributes,
            attached.chunks,
            attached.usage_bytes,
            files.c.expires_at,
        )
        .join(files, files.c.id == attached.file_id)
        .where(
            attached.vector_store == vector_store,
            attached.status == "completed",
            attached.deleted_at.is_(None),
            files.c.deleted_at.is_(None),
        )
        .order_by(attached.sequence)
    )
    return tuple(
        StoreFile(
            row.sequence,
            row.file_id,
            row.filename,
            row.attributes or {},
            row.chunks,
            row.usage_bytes,
            row.expires_at,
        )
        for row in connection.execute(query)
    )
