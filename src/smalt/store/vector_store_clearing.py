"""Removes chunks and rows of vector stores in pieces that keep the writer free for others."""

from collections.abc import Sequence

import sqlalchemy as sa

from smalt.store.tables import chunk_vectors, chunks
from smalt.store.tables import vector_store_file_batches as batches
from smalt.store.tables import vector_store_files as files

PIECE_CHUNKS = 2000
PIECE_VECTOR_ROWS = 64
PIECE_FILES = 200


def drop_chunks(connection: sa.Connection, sequences: Sequence[int]) -> bool:
    """Remove chunks and vectors of these files, at most a piece of each; whether nothing is left of them."""
    if not sequences:
        return True
    chunks_gone = _drop(connection, chunks, sequences, PIECE_CHUNKS)
    return _drop(connection, chunk_vectors, sequences, PIECE_VECTOR_ROWS) and chunks_gone


def has_chunks() -> sa.ColumnElement[bool]:
    """Whether a row of vector_store_files has chunks or vectors, whatever its status."""
    return sa.or_(
        sa.exists().where(chunks.c.file == files.c.sequence),
        sa.exists().where(chunk_vectors.c.file == files.c.sequence),
    )


def clear_deleted(connection: sa.Connection, store: int) -> bool:
    """Remove a piece of what a deleted store had; whether nothing is left."""
    query = sa.select(files.c.sequence).where(files.c.vector_store == store).limit(PIECE_FILES)
    sequences = list(connection.execute(query).scalars())
    if drop_chunks(connection, sequences):
        connection.execute(sa.delete(files).where(files.c.sequence.in_(sequences)))
        if len(sequences) < PIECE_FILES:
            connection.execute(sa.delete(batches).where(batches.c.vector_store == store))
            return True
    return False


def clear_expired(connection: sa.Connection, store: int) -> bool:
    """Remove a piece of the chunks of an expired store, whose files stay listed; whether nothing is left."""
    query = sa.select(files.c.sequence).where(files.c.vector_store == store, has_chunks()).limit(PIECE_FILES)
    sequences = list(connection.execute(query).scalars())
    if drop_chunks(connection, sequences):
        emptied = sa.update(files).where(files.c.sequence.in_(sequences))
        connection.execute(emptied.values(chunks=0, usage_bytes=0))
        return len(sequences) < PIECE_FILES
    return False


def _drop(connection: sa.Connection, table: sa.Table, sequences: Sequence[int], most: int) -> bool:
    key = sa.tuple_(table.c.file, table.c.position)
    query = sa.select(table.c.file, table.c.position).where(table.c.file.in_(sequences)).order_by(*key.clauses)
    rows = connection.execute(query.limit(most)).all()
    if rows:
        last = sa.tuple_(sa.literal(rows[-1].file), sa.literal(rows[-1].position))
        connection.execute(sa.delete(table).where(table.c.file.in_(sequences), key <= last))
    return len(rows) < most
