"""Keeps the index's tables in step with the store: what changed is copied over, in writes of bearable size."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from smalt.core.errors import Unavailable
from smalt.retrieval.index.pgvector.tables import (
    has_table,
    index_files,
    index_stores,
    index_texts,
    make_tables,
    vectors_table,
)
from smalt.retrieval.index.words import words_of
from smalt.retrieval.protocols import POSITION_BITS
from smalt.store.database import Database
from smalt.store.index_feed import IndexedFile, read_all, read_changes, read_texts, read_vectors
from smalt.store.tables import vector_store_files

CHUNKS_AT_ONCE = 1000
ROWS_AT_ONCE = 200
NAMES_AT_ONCE = 5000


@dataclass(frozen=True)
class Plan:
    """What is to be done to come to a version."""

    version: int
    lacking: Sequence[IndexedFile]
    described: Sequence[IndexedFile]
    superfluous: Sequence[int]


class Follower:
    """Brings vector stores in the index up to date; several processes may do so at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_tables = False
        self._sizes: set[int] = set()

    async def catch_up(self, store: int, at_least_version: int) -> bool:
        """Bring a store to at least a version; False when it is gone."""
        if not self._has_tables:
            await self._database.write(make_tables)
            self._has_tables = True
        known = await self._database.read(lambda connection: _version(connection, store))
        if known is not None and known >= at_least_version:
            return True
        plan = await self._database.read(lambda connection: _plan(connection, store, known))
        if plan is None:
            return False
        for batch in _batches(plan.lacking):
            await self._add(store, batch)
        await self._database.write(lambda connection: _finish(connection, store, plan))
        if plan.version < at_least_version:
            raise Unavailable("The database that searches read is behind the one that was written. Try again shortly.")
        return True

    async def forget(self, store: int) -> None:
        """Remove everything about a store."""
        if await self._database.read(lambda connection: has_table(connection, index_stores)):
            await self._database.write(lambda connection: _forget(connection, store))

    async def _add(self, store: int, files: Sequence[IndexedFile]) -> None:
        names = [file.sequence for file in files]
        texts = await self._database.read(lambda connection: list(_text_rows(connection, names)))
        vectors = await self._database.read(lambda connection: list(_vector_rows(connection, names)))
        for dimensions in {dimensions for dimensions, _ in vectors} - self._sizes:
            await self._database.write(partial(_make_vectors_table, dimensions=dimensions))
            self._sizes.add(dimensions)
        for dimensions in sorted({dimensions for dimensions, _ in vectors}):
            rows = [row for size, row in vectors if size == dimensions]
            for start in range(0, len(rows), ROWS_AT_ONCE):
                piece = rows[start : start + ROWS_AT_ONCE]
                await self._database.write(partial(_insert, table=vectors_table(dimensions), rows=piece))
        await self._database.write(lambda connection: _put(connection, store, files, texts))


def _version(connection: sa.Connection, store: int) -> int | None:
    query = sa.select(index_stores.c.version).where(index_stores.c.vector_store == store)
    return connection.execute(query).scalar()


def _plan(connection: sa.Connection, store: int, known: int | None) -> Plan | None:
    changes = None if known is None else read_changes(connection, store, known)
    feed = changes or read_all(connection, store)
    if feed is None:
        return None
    query = sa.select(index_files.c.file, index_files.c.content).where(index_files.c.vector_store == store)
    contents = {row.file: row.content for row in connection.execute(query)}
    lacking = [file for file in feed.files if contents.get(file.sequence) != file.content]
    there = {file.sequence for file in feed.files}
    gone = feed.removed if changes else sorted(contents.keys() - there)
    return Plan(feed.version, lacking, feed.files, gone)


def _batches(files: Sequence[IndexedFile]) -> Iterator[list[IndexedFile]]:
    batch: list[IndexedFile] = []
    for file in files:
        batch.append(file)
        if sum(one.chunks for one in batch) >= CHUNKS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _text_rows(connection: sa.Connection, files: Sequence[int]) -> Iterator[dict[str, object]]:
    for file, position, text in read_texts(connection, files):
        yield {"chunk": file << POSITION_BITS | position, "file": file, "words": " ".join(words_of(text))}


def _vector_rows(connection: sa.Connection, files: Sequence[int]) -> Iterator[tuple[int, dict[str, object]]]:
    for row in read_vectors(connection, files):
        unpack = struct.Struct(f"<{row.dimensions}e")
        for number, numbers in enumerate(unpack.iter_unpack(row.vectors)):
            chunk = row.file << POSITION_BITS | (row.position + number)
            written = ",".join(f"{one:.6g}" for one in numbers)
            yield row.dimensions, {"chunk": chunk, "file": row.file, "vector": f"[{written}]"}


def _make_vectors_table(connection: sa.Connection, dimensions: int) -> None:
    vectors_table(dimensions).create(connection, checkfirst=True)


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        statement = insert(table)
        # The chunks of a number that had other content before, as after a restored backup.
        same = {"vector": statement.excluded.vector, "file": statement.excluded.file}
        connection.execute(statement.on_conflict_do_update(index_elements=["chunk"], set_=same), rows)


def _put(
    connection: sa.Connection, store: int, files: Sequence[IndexedFile], texts: Sequence[dict[str, object]]
) -> None:
    """Say that files are in the index, unless they were removed from the store while their chunks were copied."""
    table = vector_store_files
    is_there = (table.c.deleted_at.is_(None), table.c.status == "completed")
    query = sa.select(table.c.sequence).where(table.c.sequence.in_([file.sequence for file in files]), *is_there)
    live = set(connection.execute(query).scalars())
    _remove(connection, [file.sequence for file in files if file.sequence not in live])
    kept = [row for row in texts if row["file"] in live]
    if kept:
        words = sa.func.to_tsvector("simple", sa.bindparam("words", type_=sa.Text))
        statement = insert(index_texts).values(words=words)
        same = {"words": statement.excluded.words, "file": statement.excluded.file}
        connection.execute(statement.on_conflict_do_update(index_elements=["chunk"], set_=same), kept)
    for file in files:
        if file.sequence in live:
            values = {"vector_store": store, "content": file.content, "chunks": file.chunks}
            values |= {"attributes": dict(file.attributes)}
            statement = insert(index_files).values(file=file.sequence, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["file"], set_=values))


def _finish(connection: sa.Connection, store: int, plan: Plan) -> None:
    known = _version(connection, store)
    _remove(connection, plan.superfluous)
    if known is None or known < plan.version:
        for file in plan.described:
            change = sa.update(index_files).where(index_files.c.file == file.sequence)
            connection.execute(change.values(attributes=dict(file.attributes)))
    version = plan.version if known is None else max(known, plan.version)
    statement = insert(index_stores).values(vector_store=store, version=version)
    connection.execute(statement.on_conflict_do_update(index_elements=["vector_store"], set_={"version": version}))


def _remove(connection: sa.Connection, files: Sequence[int]) -> None:
    tables = [index_files, index_texts, *_vector_tables(connection)] if files else []
    for table in tables:
        for start in range(0, len(files), NAMES_AT_ONCE):
            connection.execute(sa.delete(table).where(table.c.file.in_(files[start : start + NAMES_AT_ONCE])))


def _forget(connection: sa.Connection, store: int) -> None:
    query = sa.select(index_files.c.file).where(index_files.c.vector_store == store)
    _remove(connection, list(connection.execute(query).scalars()))
    connection.execute(sa.delete(index_stores).where(index_stores.c.vector_store == store))


def _vector_tables(connection: sa.Connection) -> list[sa.Table]:
    named = r"tablename LIKE 'smalt\_index\_vectors\_%'"
    query = sa.text(f"SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND {named}")  # noqa: S608 ours
    return [vectors_table(int(name.rpartition("_")[2])) for name in connection.execute(query).scalars()]
