"""Vector stores: made, found, listed, changed and deleted; they expire on time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest
from smalt.core.ids import timed_id
from smalt.store.cursors import Collection, Slice, fetch_page
from smalt.store.database import Database
from smalt.store.file_batches import cancel_files
from smalt.store.ingestion import IngestionQueue
from smalt.store.paging import Page
from smalt.store.tables import vector_store_files as files
from smalt.store.tables import vector_stores as table
from smalt.store.vector_store_clearing import PIECE_FILES, clear_deleted, clear_expired, drop_chunks
from smalt.store.vector_store_files import Attachment, attach_and_ask
from smalt.store.vector_store_rows import (
    SECONDS_OF_A_DAY,
    CountedVectorStore,
    VectorStore,
    bump,
    count_files,
    counted,
    find_usable_store,
    find_vector_store,
    require_unexpired,
    touch,
)

__all__ = [
    "CountedVectorStore",
    "ExpiredStores",
    "NewVectorStore",
    "VectorStore",
    "VectorStoreChanges",
    "VectorStores",
    "bump",
    "find_usable_store",
    "find_vector_store",
    "next_sweep_at",
    "require_unexpired",
    "touch",
]

TOMBSTONE_SECONDS = SECONDS_OF_A_DAY
PIECE_STORES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVectorStore:
    """What a client asks for."""

    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] | None = None
    expires_after_days: int | None = None
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True)
class VectorStoreChanges:
    """The columns that a client changes, by name; one of `expires_after_days` may be None, which ends the rule."""

    columns: Mapping[str, Any] = field(default_factory=dict[str, Any])


class VectorStores:
    """The vector stores of every project; a caller sees its own project's only."""

    def __init__(self, database: Database, ingestion: IngestionQueue) -> None:
        self._database = database
        self._ingestion = ingestion

    async def create(self, project: str, new: NewVectorStore, *, embedding_model: str) -> CountedVectorStore:
        """Make a store with its files attached; `NotFound` for a file that the project does not have."""
        vector_store_id = timed_id("vs_")

        def insert(connection: sa.Connection) -> CountedVectorStore:
            row = _new_row(project, vector_store_id, new, embedding_model)
            connection.execute(sa.insert(table).values(row))
            store = find_vector_store(connection, project, vector_store_id)
            attach_and_ask(connection, store, new.attachments, self._ingestion)
            return _read(connection, store)

        return await self._database.write(insert)

    async def get(self, project: str, vector_store_id: str) -> CountedVectorStore:
        """Find one, expired or not; `NotFound` when this project has none of this id."""
        return await self._database.read(
            lambda connection: _read(connection, find_vector_store(connection, project, vector_store_id))
        )

    async def list(self, project: str, page: Slice) -> Page[CountedVectorStore]:
        """One page by time of creation, expired ones too."""

        def select(connection: sa.Connection) -> Page[CountedVectorStore]:
            collection = Collection(table, table.c.id, table.c.project == project, "vector store")
            found = fetch_page(connection, collection, page)
            counts = count_files(connection, [row.sequence for row in found.items])
            return Page([counted(row, counts[row.sequence]) for row in found.items], has_more=found.has_more)

        return await self._database.read(select)

    async def update(self, project: str, vector_store_id: str, changes: VectorStoreChanges) -> CountedVectorStore:
        """Change what the client gave; an expired store stays expired, so its expiry cannot be changed any more."""

        def change(connection: sa.Connection) -> CountedVectorStore:
            store = find_vector_store(connection, project, vector_store_id)
            if "expires_after_days" in changes.columns:
                _require_changeable_expiry(store)
            if changes.columns:
                columns = dict(changes.columns)
                connection.execute(sa.update(table).where(table.c.sequence == store.sequence).values(columns))
            if not store.is_expired:
                touch(connection, store)
            return _read(connection, find_vector_store(connection, project, vector_store_id))

        return await self._database.write(change)

    async def delete(self, project: str, vector_store_id: str) -> VectorStore:
        """Delete one at once, and what it holds; of a large one the sweep removes the rest. Its files stay."""

        def bury(connection: sa.Connection) -> VectorStore:
            store = find_vector_store(connection, project, vector_store_id)
            _cancel_jobs(connection, store.sequence, self._ingestion)
            emptied = {"name": None, "description": None, "metadata": None, "deleted_at": now(), "cleared_at": None}
            connection.execute(sa.update(table).where(table.c.sequence == store.sequence).values(emptied))
            return store

        store = await self._database.write(bury)
        await self._database.write(lambda connection: _clear(connection, store.sequence))
        return store


class Forgetting(Protocol):
    """What keeps something for a vector store outside of the database."""

    async def forget(self, vector_store: int) -> None:
        """Drop what is kept for a store that was deleted or has expired."""
        ...


class ExpiredStores:
    """The sweep that ends vector stores on time, and removes what deleted and expired ones leave behind."""

    name = "vector_stores"
    seconds = 60.0

    def __init__(self, database: Database, index: Forgetting | None = None) -> None:
        self._database = database
        self._index = index

    async def sweep(self) -> None:
        """Do it now, in short writes; several runners may do so at once."""
        await self._database.write(_expire)
        for store in await self._database.read(_uncleared):
            while not await self._database.write(lambda connection, store=store: _clear(connection, store)):
                pass
            if self._index is not None:
                await self._index.forget(store)
            await self._database.write(lambda connection, store=store: _note_cleared(connection, store))
        while await self._database.write(_drop_leftovers):
            pass
        while await self._database.write(_purge_files):
            pass
        await self._database.write(_purge_stores)


def next_sweep_at(connection: sa.Connection) -> int | None:
    """The second at which `ExpiredStores` has something to do, which may be past; None when nothing is to come."""
    unexpired = (table.c.is_expired.is_(False), table.c.deleted_at.is_(None))
    due = [
        _earliest(connection, table.c.expires_at, *unexpired),
        _earliest(connection, sa.func.coalesce(table.c.deleted_at, table.c.expires_at), *_ended()),
        _earliest(connection, files.c.deleted_at, *_left_over()),
    ]
    tombstones = [
        _earliest(connection, files.c.deleted_at, files.c.deleted_at.is_not(None)),
        _earliest(connection, table.c.deleted_at, table.c.cleared_at.is_not(None)),
    ]
    due += [moment + TOMBSTONE_SECONDS + 1 for moment in tombstones if moment is not None]
    return min((moment for moment in due if moment is not None), default=None)


def _earliest(connection: sa.Connection, column: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]) -> int | None:
    return connection.execute(sa.select(sa.func.min(column)).where(*where)).scalar_one()


def _new_row(project: str, vector_store_id: str, new: NewVectorStore, embedding_model: str) -> dict[str, Any]:
    moment = now()
    days = new.expires_after_days
    return {
        "id": vector_store_id,
        "project": project,
        "name": new.name,
        "description": new.description,
        "metadata": dict(new.metadata or {}),
        "created_at": moment,
        "last_active_at": moment,
        "expires_after_days": days,
        "expires_at": moment + days * SECONDS_OF_A_DAY if days is not None else None,
        "is_expired": False,
        "embedding_model": embedding_model,
        "version": 1,
    }


def _read(connection: sa.Connection, store: VectorStore) -> CountedVectorStore:
    row = connection.execute(sa.select(table).where(table.c.sequence == store.sequence)).one()
    return counted(row, count_files(connection, [store.sequence])[store.sequence])


def _require_changeable_expiry(store: VectorStore) -> None:
    if store.is_expired:
        raise InvalidRequest(
            f"Vector store '{store.id}' has expired, so its expiry cannot be changed. Make a new one with its files.",
            param="expires_after",
        )


def _cancel_jobs(connection: sa.Connection, store: int, ingestion: IngestionQueue) -> None:
    unfinished = (files.c.vector_store == store, files.c.status == "in_progress", files.c.deleted_at.is_(None))
    query = sa.select(files.c.job_id).where(*unfinished, files.c.job_id.is_not(None)).distinct()
    for job_id in connection.execute(query).scalars().all():
        ingestion.cancel(connection, job_id)


def _expire(connection: sa.Connection) -> None:
    """Mark the stores whose time has come, and cancel what is still being brought into them."""
    query = sa.select(table.c.sequence).where(
        table.c.expires_at <= now(), table.c.is_expired.is_(False), table.c.deleted_at.is_(None)
    )
    for store in connection.execute(query.limit(PIECE_STORES)).scalars().all():
        connection.execute(sa.update(table).where(table.c.sequence == store).values(is_expired=True))
        cancel_files(connection, store, sa.true())


def _uncleared(connection: sa.Connection) -> list[int]:
    return list(connection.execute(sa.select(table.c.sequence).where(*_ended())).scalars())


def _ended() -> tuple[sa.ColumnElement[bool], ...]:
    ended = sa.or_(table.c.deleted_at.is_not(None), table.c.is_expired.is_(True))
    return ended, table.c.cleared_at.is_(None)


def _clear(connection: sa.Connection, store: int) -> bool:
    """Remove a piece of what a deleted or expired store holds; whether nothing is left."""
    query = sa.select(table.c.sequence).where(table.c.sequence == store, table.c.deleted_at.is_not(None))
    is_deleted = connection.execute(query).one_or_none() is not None
    return clear_deleted(connection, store) if is_deleted else clear_expired(connection, store)


def _note_cleared(connection: sa.Connection, store: int) -> None:
    """Note that nothing is left; a store that was deleted meanwhile has its files left."""
    has_rows = sa.exists().where(files.c.vector_store == store)
    ended = sa.or_(table.c.deleted_at.is_(None), sa.not_(has_rows))
    connection.execute(sa.update(table).where(table.c.sequence == store, ended).values(cleared_at=now()))


def _drop_leftovers(connection: sa.Connection) -> bool:
    """Drop a piece of the chunks that removed files still have; whether there may be more."""
    query = sa.select(files.c.sequence).where(*_left_over()).limit(PIECE_STORES)
    sequences = list(connection.execute(query).scalars())
    if drop_chunks(connection, sequences):
        connection.execute(sa.update(files).where(files.c.sequence.in_(sequences)).values(chunks=0))
    return bool(sequences)


def _left_over() -> tuple[sa.ColumnElement[bool], ...]:
    return (files.c.deleted_at.is_not(None), files.c.chunks > 0)


def _purge_files(connection: sa.Connection) -> bool:
    """Forget a piece of the files that were removed long ago; whether there may be more."""
    old = (files.c.deleted_at < now() - TOMBSTONE_SECONDS, files.c.chunks == 0)
    query = sa.select(files.c.sequence, files.c.vector_store, files.c.version).where(*old).limit(PIECE_FILES)
    rows = connection.execute(query).all()
    newest: dict[int, int] = {}
    for row in rows:
        newest[row.vector_store] = max(row.version, newest.get(row.vector_store, 0))
    for store, version in newest.items():
        older = (table.c.sequence == store, table.c.purged_version < version)
        connection.execute(sa.update(table).where(*older).values(purged_version=version))
    connection.execute(sa.delete(files).where(files.c.sequence.in_([row.sequence for row in rows])))
    return len(rows) == PIECE_FILES


def _purge_stores(connection: sa.Connection) -> None:
    old = (table.c.deleted_at < now() - TOMBSTONE_SECONDS, table.c.cleared_at.is_not(None))
    kept = sa.exists().where(files.c.vector_store == table.c.sequence)
    connection.execute(sa.delete(table).where(*old, sa.not_(kept)))
