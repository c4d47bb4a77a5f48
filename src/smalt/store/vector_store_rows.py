"""Vector stores as rows: finding one, counting its files, and moving its version and its time of use on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.store.tables import vector_store_files as files
from smalt.store.tables import vector_stores as table

SECONDS_OF_A_DAY = 86400

StoreStatus = Literal["expired", "in_progress", "completed"]
FileStatus = Literal["in_progress", "completed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class FileCounts:
    """How many files stand where, and the bytes that they take together."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    usage_bytes: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.in_progress + self.completed + self.failed + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorStore:
    """A vector store; `sequence` is its number in tables and indexes, `is_expired` is true from the second on."""

    sequence: int
    id: str
    project: str
    name: str | None
    description: str | None
    metadata: Mapping[str, str] | None
    created_at: int
    last_active_at: int
    expires_after_days: int | None
    expires_at: int | None
    is_expired: bool
    embedding_model: str
    version: int
    purged_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedVectorStore(VectorStore):
    """A vector store with its files counted, in the same snapshot."""

    file_counts: FileCounts

    @property
    def usage_bytes(self) -> int:
        """What its files take."""
        return self.file_counts.usage_bytes

    @property
    def status(self) -> StoreStatus:
        """Whether it can be used, and whether files are still being brought in."""
        if self.is_expired:
            return "expired"
        return "in_progress" if self.file_counts.in_progress else "completed"


def find_vector_store(connection: sa.Connection, project: str, vector_store_id: str) -> VectorStore:
    """The project's vector store of this id, expired ones too; raises `NotFound`."""
    query = sa.select(table).where(
        table.c.id == vector_store_id, table.c.project == project, table.c.deleted_at.is_(None)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"No vector store found with id '{vector_store_id}'.", param="vector_store_id")
    return vector_store(row)


def find_usable_store(connection: sa.Connection, project: str, vector_store_id: str) -> VectorStore:
    """The same; one that has expired is refused with a 400."""
    store = find_vector_store(connection, project, vector_store_id)
    require_unexpired(store)
    return store


def require_unexpired(store: VectorStore) -> None:
    """Refuse a vector store that has expired."""
    if store.is_expired:
        raise InvalidRequest(
            f"Vector store '{store.id}' has expired. Make a new one with the same files.", param="vector_store_id"
        )


def vector_store(row: sa.Row[Any]) -> VectorStore:
    """The vector store that a row of the table is."""
    return VectorStore(**_fields(row))


def counted(row: sa.Row[Any], counts: FileCounts) -> CountedVectorStore:
    """The same with its counts."""
    return CountedVectorStore(**_fields(row), file_counts=counts)


def count_files(connection: sa.Connection, stores: Iterable[int]) -> dict[int, FileCounts]:
    """The counts of every one of these stores."""
    stores = list(stores)
    found = _counts(connection, files.c.vector_store, stores)
    return {store: FileCounts(**found.get(store, {})) for store in stores}


def count_batch_files(connection: sa.Connection, batch_id: str) -> FileCounts:
    """The counts of the files of a batch that are still in its store."""
    return FileCounts(**_counts(connection, files.c.batch_id, [batch_id]).get(batch_id, {}))


def bump(connection: sa.Connection, vector_store: int) -> int:
    """The store's next version, within a write: something that a search may find has changed."""
    moved = sa.update(table).where(table.c.sequence == vector_store).values(version=table.c.version + 1)
    return connection.execute(moved.returning(table.c.version)).scalar_one()


def touch(connection: sa.Connection, store: VectorStore) -> None:
    """Note within a write that the store is used now, which puts off its expiry; raises `NotFound` when it is gone."""
    moment = now()
    moved = sa.update(table).where(table.c.sequence == store.sequence, table.c.deleted_at.is_(None))
    # NULL days make a NULL time: a store without the rule never expires.
    expires_at = moment + table.c.expires_after_days * SECONDS_OF_A_DAY
    if connection.execute(moved.values(last_active_at=moment, expires_at=expires_at)).rowcount == 0:
        raise NotFound(f"No vector store found with id '{store.id}'.", param="vector_store_id")


def _counts(connection: sa.Connection, group: sa.Column[Any], members: list[Any]) -> dict[Any, dict[str, int]]:
    query = (
        sa.select(group, files.c.status, sa.func.count(), sa.func.sum(files.c.usage_bytes))
        .where(group.in_(members), files.c.deleted_at.is_(None))
        .group_by(group, files.c.status)
    )
    found: dict[Any, dict[str, int]] = {}
    for member, status, count, usage in connection.execute(query):
        counts = found.setdefault(member, {"usage_bytes": 0})
        counts[status] = count
        counts["usage_bytes"] += int(usage)
    return found


def _fields(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "sequence": row.sequence,
        "id": row.id,
        "project": row.project,
        "name": row.name,
        "description": row.description,
        "metadata": row.metadata,
        "created_at": row.created_at,
        "last_active_at": row.last_active_at or row.created_at,
        "expires_after_days": row.expires_after_days,
        "expires_at": row.expires_at,
        "is_expired": row.is_expired or (row.expires_at is not None and row.expires_at <= now()),
        "embedding_model": row.embedding_model,
        "version": row.version,
        "purged_version": row.purged_version,
    }
