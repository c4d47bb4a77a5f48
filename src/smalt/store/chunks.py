"""The chunks of files in vector stores while they are made, and when they are found."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import sqlalchemy as sa

from smalt.store.tables import chunk_vectors, chunks, vector_stores
from smalt.store.tables import files as uploaded
from smalt.store.tables import vector_store_files as table
from smalt.store.upserting import insert_missing
from smalt.store.vector_store_clearing import drop_chunks
from smalt.store.vector_store_rows import bump

FileErrorCode = Literal["server_error", "unsupported_file", "invalid_file"]

Key = tuple[int, int]
"""A file's sequence and a chunk's position."""

Range = tuple[int, int]
"""A first position, and the one behind the last."""

LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A piece of a file as it is embedded and found; `page` counts from 1, `heading` is the path of headings above."""

    position: int
    text: str
    tokens: int
    page: int | None = None
    heading: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInProgress:
    """A file that is being brought into a vector store; `chunks` is 0 until all of them are there."""

    sequence: int
    file_id: str
    filename: str
    digest: str | None
    embedding_model: str
    max_chunk_size_tokens: int
    chunk_overlap_tokens: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far some files are: how many there are, how many have ended, and their chunks with and without vectors."""

    files: int
    files_ended: int
    chunks: int
    chunks_embedded: int


def find_in_progress(connection: sa.Connection, sequence: int) -> FileInProgress | None:
    """A file that is still to be brought in; None when it has ended, was removed, or its store is gone."""
    query = (
        sa.select(
            table.c.sequence,
            table.c.file_id,
            uploaded.c.filename,
            uploaded.c.digest,
            vector_stores.c.embedding_model,
            table.c.max_chunk_size_tokens,
            table.c.chunk_overlap_tokens,
            table.c.chunks,
        )
        .join(vector_stores, vector_stores.c.sequence == table.c.vector_store)
        .join(uploaded, uploaded.c.id == table.c.file_id, isouter=True)
        .where(table.c.sequence == sequence, *_unfinished(), vector_stores.c.deleted_at.is_(None))
    )
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    return FileInProgress(**{**row, "filename": row["filename"] or row["file_id"]})


def find_work(connection: sa.Connection, *, files: Sequence[int] = (), batch: str | None = None) -> list[int]:
    """The files of a job or of a batch that are still to be brought in, in the order they were attached."""
    scope = table.c.batch_id == batch if batch is not None else table.c.sequence.in_(files)
    return list(
        connection.execute(
            sa.select(table.c.sequence).where(scope, *_unfinished()).order_by(table.c.sequence)
        ).scalars()
    )


def read_standing(connection: sa.Connection, sequences: Sequence[int]) -> Standing:
    """How far these files are; chunks are known once a file has all of them."""
    of_these = table.c.sequence.in_(sequences)
    query = sa.select(table.c.status, sa.func.count(), sa.func.sum(table.c.chunks)).where(
        of_these, table.c.deleted_at.is_(None)
    )
    rows = connection.execute(query.group_by(table.c.status)).all()
    found = {status: (int(count), int(made)) for status, count, made in rows}
    made, embedded = sum(made for _, made in found.values()), found.get("completed", (0, 0))[1]
    unfinished = sa.select(table.c.sequence).where(of_these, *_unfinished())
    vectors = sa.select(sa.func.coalesce(sa.func.sum(chunk_vectors.c.count), 0)).where(
        chunk_vectors.c.file.in_(unfinished)
    )
    embedded += int(connection.execute(vectors).scalar_one())
    return Standing(len(sequences), len(sequences) - found.get("in_progress", (0, 0))[0], made, embedded)


def add_chunks(connection: sa.Connection, file: int, added: Sequence[StoredChunk], *, is_last: bool = True) -> bool:
    """Add chunks of a file, in order; with the last ones it is noted that all are there.

    Like everything that writes here it does nothing, and returns False, when the file is no longer being brought in,
    or when these are not the next ones: another attempt, of a runner that was silent for a while, has been here.
    """
    rows = [{"file": file, **asdict(chunk)} for chunk in added]
    is_wanted = _grow(connection, file, 0)
    if not is_wanted or (added and added[0].position != _next_position(connection, file)):
        return False
    _grow(connection, file, sum(len(chunk.text.encode()) for chunk in added))
    if rows:
        connection.execute(sa.insert(chunks), rows)
    if is_last:
        connection.execute(sa.update(table).where(table.c.sequence == file).values(chunks=_count(connection, file)))
    return True


def restart(connection: sa.Connection, file: int) -> bool:
    """Forget a piece of the chunks of a file of which not all were made; whether nothing is left to forget.

    One of which all are there meanwhile keeps them.
    """
    unmade = sa.update(table).where(table.c.sequence == file, table.c.chunks == 0, *_unfinished())
    return connection.execute(unmade.values(usage_bytes=0)).rowcount == 0 or drop_chunks(connection, [file])


def read_texts_between(connection: sa.Connection, file: int, positions: Range) -> list[str]:
    """The texts of the chunks in a range."""
    query = sa.select(chunks.c.text).where(
        chunks.c.file == file, chunks.c.position >= positions[0], chunks.c.position < positions[1]
    )
    return list(connection.execute(query.order_by(chunks.c.position)).scalars())


def read_missing_vectors(connection: sa.Connection, file: int, total: int, most: int) -> list[Range]:
    """The ranges of chunks that have no vectors yet, each of at most `most`."""
    query = sa.select(chunk_vectors.c.position, chunk_vectors.c.count).where(chunk_vectors.c.file == file)
    missing: list[Range] = []
    at = 0
    for position, count in [*connection.execute(query.order_by(chunk_vectors.c.position)).all(), (total, 0)]:
        missing += [(start, min(start + most, position)) for start in range(at, position, most)]
        at = position + count
    return missing


def add_vectors(
    connection: sa.Connection, file: int, *, position: int, count: int, dimensions: int, vectors: bytes
) -> bool:
    """Add the vectors of `count` chunks from `position` on, as float16 rows of unit length, unless they are there."""
    identity = (chunk_vectors.c.file == file, chunk_vectors.c.position == position)
    is_there = connection.execute(sa.select(sa.literal(1)).where(*identity)).one_or_none() is not None
    if not _grow(connection, file, 0 if is_there else len(vectors)):
        return False
    row = {"file": file, "position": position, "count": count, "dimensions": dimensions, "vectors": vectors}
    insert_missing(connection, chunk_vectors, row=row)
    return True


def complete(connection: sa.Connection, file: int) -> bool:
    """Let a file be found, once every chunk has its vector; False while one lacks it."""
    query = sa.select(table.c.vector_store, table.c.chunks).where(table.c.sequence == file, *_unfinished())
    row = connection.execute(query).one_or_none()
    embedded = sa.select(sa.func.sum(chunk_vectors.c.count)).where(chunk_vectors.c.file == file)
    if row is None or not row.chunks or connection.execute(embedded).scalar_one() != row.chunks:
        return False
    values = {"status": "completed", "version": bump(connection, row.vector_store)}
    return (
        connection.execute(sa.update(table).where(table.c.sequence == file, *_unfinished()).values(values)).rowcount > 0
    )


def fail(connection: sa.Connection, file: int, code: FileErrorCode, message: str) -> bool:
    """Note why a file could not be brought in; `drop_chunks` removes what there is of it."""
    return _end(connection, file, status="failed", error_code=code, error_message=message[:LONGEST_REASON])


def cancel(connection: sa.Connection, file: int) -> bool:
    """Note that a file shall not be brought in; `drop_chunks` removes what there is of it."""
    return _end(connection, file, status="cancelled")


def drop_unwanted(connection: sa.Connection, file: int) -> bool:
    """Remove a piece of the chunks of a file that will not be brought in; whether nothing is left to remove.

    One that was completed in the last moment, or is in the hands of another attempt, keeps them.
    """
    wanted = sa.select(table.c.sequence).where(
        table.c.sequence == file, table.c.status.in_(("completed", "in_progress")), table.c.deleted_at.is_(None)
    )
    return connection.execute(wanted).one_or_none() is not None or drop_chunks(connection, [file])


def read_chunks(connection: sa.Connection, keys: Iterable[Key]) -> dict[Key, StoredChunk]:
    """The chunks with these keys; those that are gone are left out."""
    wanted: dict[int, list[int]] = {}
    for file, position in keys:
        wanted.setdefault(file, []).append(position)
    columns = (chunks.c.position, chunks.c.text, chunks.c.tokens, chunks.c.page, chunks.c.heading)
    found: dict[Key, StoredChunk] = {}
    for file, positions in wanted.items():
        query = sa.select(*columns).where(chunks.c.file == file, chunks.c.position.in_(positions))
        found.update({(file, row.position): StoredChunk(*row) for row in connection.execute(query)})
    return found


def _unfinished() -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.status == "in_progress", table.c.deleted_at.is_(None)


def _grow(connection: sa.Connection, file: int, size: int) -> bool:
    """Count the bytes, which also keeps whoever removes the file from doing so before this write is over."""
    grown = sa.update(table).where(table.c.sequence == file, *_unfinished())
    return connection.execute(grown.values(usage_bytes=table.c.usage_bytes + size)).rowcount > 0


def _next_position(connection: sa.Connection, file: int) -> int:
    last = sa.select(sa.func.coalesce(sa.func.max(chunks.c.position), -1)).where(chunks.c.file == file)
    return connection.execute(last).scalar_one() + 1


def _count(connection: sa.Connection, file: int) -> int:
    """The chunks that are there, which must be one for each position."""
    query = sa.select(sa.func.count(), sa.func.max(chunks.c.position)).where(chunks.c.file == file)
    number, last = connection.execute(query).one()
    if not number or number != last + 1:
        raise RuntimeError(f"File {file} has {number} chunks, and the last one is {last}.")
    return number


def _end(connection: sa.Connection, file: int, **values: Any) -> bool:
    ended = {"chunks": 0, "usage_bytes": 0, **values}
    return (
        connection.execute(sa.update(table).where(table.c.sequence == file, *_unfinished()).values(ended)).rowcount > 0
    )
