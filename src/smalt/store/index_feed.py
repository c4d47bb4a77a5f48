"""What an index of chunks is made of, read from the store: which files are there now, and their chunks."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from smalt.store.tables import chunk_vectors, chunks, vector_store_files, vector_stores

ROWS_AT_ONCE = 64
NAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A completed file; `content` is the same number as long as its chunks are the same."""

    sequence: int
    content: int
    chunks: int
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Feed:
    """Files of a vector store at one version: all of them, or those that changed after another version."""

    version: int
    files: Sequence[IndexedFile]
    removed: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class VectorRow:
    """Vectors of `count` neighbouring chunks: float16 rows."""

    file: int
    position: int
    count: int
    dimensions: int
    vectors: bytes


def read_versions(connection: sa.Connection, stores: Sequence[int]) -> dict[int, int]:
    """The versions of those of `stores` that are still there."""
    found: dict[int, int] = {}
    for start in range(0, len(stores), NAMES_AT_ONCE):
        named = vector_stores.c.sequence.in_(stores[start : start + NAMES_AT_ONCE])
        query = sa.select(vector_stores.c.sequence, vector_stores.c.version).where(named, _is_there())
        found.update((row.sequence, row.version) for row in connection.execute(query))
    return found


def read_all(connection: sa.Connection, vector_store: int) -> Feed | None:
    """Everything that is in a vector store; None when it is gone."""
    version = read_versions(connection, [vector_store]).get(vector_store)
    if version is None:
        return None
    rows = connection.execute(_files(vector_store).where(_is_completed())).mappings()
    return Feed(version, [_indexed(row) for row in rows])


def read_changes(connection: sa.Connection, vector_store: int, since: int) -> Feed | None:
    """What changed after version `since`; None when that can no longer be told, or when the store is gone."""
    table = vector_stores
    query = sa.select(table.c.version, table.c.purged_version).where(table.c.sequence == vector_store, _is_there())
    row = connection.execute(query).one_or_none()
    # A store that is older than we are was restored from a backup.
    if row is None or not row.purged_version <= since <= row.version:
        return None
    rows = connection.execute(_files(vector_store).where(vector_store_files.c.version > since)).mappings().all()
    present = [_indexed(row) for row in rows if row["status"] == "completed" and row["deleted_at"] is None]
    removed = [row["sequence"] for row in rows if row["deleted_at"] is not None or row["status"] != "completed"]
    return Feed(row.version, present, removed)


def read_vectors(connection: sa.Connection, files: Sequence[int]) -> Iterator[VectorRow]:
    """The vectors of some files, file by file in order."""
    table = chunk_vectors
    columns = (table.c.file, table.c.position, table.c.count, table.c.dimensions, table.c.vectors)
    query = sa.select(*columns).where(table.c.file.in_(files)).order_by(table.c.file, table.c.position)
    for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query):
        yield VectorRow(*row)


def read_texts(connection: sa.Connection, files: Sequence[int]) -> Iterator[tuple[int, int, str]]:
    """File, position and searchable text of the chunks of some files, file by file in order."""
    table = chunks
    columns = (table.c.file, table.c.position, table.c.text, table.c.heading)
    query = sa.select(*columns).where(table.c.file.in_(files)).order_by(table.c.file, table.c.position)
    for file, position, text, heading in connection.execution_options(yield_per=1024).execute(query):
        yield file, position, f"{heading}\n{text}" if heading else text


def _files(vector_store: int) -> sa.Select[*tuple[Any, ...]]:
    table = vector_store_files
    columns = (table.c.sequence, table.c.file_id, table.c.created_at, table.c.status, table.c.chunks)
    query = sa.select(*columns, table.c.attributes, table.c.deleted_at)
    return query.where(table.c.vector_store == vector_store).order_by(table.c.sequence)


def _is_there() -> sa.ColumnElement[bool]:
    return vector_stores.c.deleted_at.is_(None)


def _is_completed() -> sa.ColumnElement[bool]:
    return sa.and_(vector_store_files.c.status == "completed", vector_store_files.c.deleted_at.is_(None))


def _indexed(row: sa.RowMapping) -> IndexedFile:
    # After a backup was restored, a sequence may be another file's: the id and the time tell them apart.
    named = f"{row['file_id']} {row['created_at']} {row['chunks']}".encode()
    content = int.from_bytes(hashlib.blake2b(named, digest_size=7).digest())
    return IndexedFile(row["sequence"], content, row["chunks"], row["attributes"] or {})
