"""Puts documents into vector stores directly, for tests of search that need no files, jobs or extraction."""

from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import pack, unpack
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.ids import short_id, timed_id
from smalt.store.database import Database
from smalt.store.tables import blobs, chunk_vectors, chunks, files, vector_store_files, vector_stores
from smalt.store.vector_stores import bump

Embed = Callable[[Sequence[str]], Awaitable[Sequence[bytes]]]


@dataclass(frozen=True)
class Kept:
    """A document as it shall be kept: its name, its chunks, and the attributes of its file."""

    name: str
    texts: Sequence[str]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    headings: Sequence[str] = ()


async def keep_store(
    database: Database,
    documents: Sequence[Kept],
    embed: Embed,
    *,
    project: str = "default",
    name: str | None = None,
    model: str = "text-embedding-3-small",
    **columns: Any,
) -> str:
    """Make a vector store that holds the documents; its id."""
    id_ = timed_id("vs_")
    row = {
        "id": id_,
        "project": project,
        "name": name,
        "metadata": {},
        "created_at": now(),
        "last_active_at": now(),
        "is_expired": False,
        "embedding_model": model,
        "version": 0,
    }
    await database.write(lambda connection: connection.execute(sa.insert(vector_stores).values({**row, **columns})))
    await keep_files(database, id_, documents, embed)
    return id_


async def keep_files(database: Database, store: str, documents: Sequence[Kept], embed: Embed) -> list[str]:
    """Put documents into a vector store that is there; the ids of their files."""
    ids: list[str] = []
    for document in documents:
        vectors = await embed(document.texts)
        ids.append(await database.write(lambda connection: _keep_file(connection, store, document, vectors)))  # noqa: B023
    return ids


def _keep_file(connection: sa.Connection, store: str, document: Kept, vectors: Sequence[bytes]) -> str:
    owner = connection.execute(sa.select(vector_stores).where(vector_stores.c.id == store)).one()
    file_id = _keep_content(connection, owner.project, document)
    row = {
        "vector_store": owner.sequence,
        "file_id": file_id,
        "created_at": now(),
        "status": "completed",
        "max_chunk_size_tokens": 800,
        "chunk_overlap_tokens": 400,
        "attributes": dict(document.attributes),
        "usage_bytes": sum(len(text.encode()) for text in document.texts),
        "chunks": len(document.texts),
        "version": bump(connection, owner.sequence),
    }
    made = sa.insert(vector_store_files).values(row).returning(vector_store_files.c.sequence)
    sequence = connection.execute(made).scalar_one()
    for position, text in enumerate(document.texts):
        heading = document.headings[position] if document.headings else None
        values = {"file": sequence, "position": position, "text": text, "tokens": len(text.split()), "heading": heading}
        connection.execute(sa.insert(chunks).values(values))
    halves = b"".join(_as_halves(vector) for vector in vectors)
    size = len(vectors[0]) // 4
    values = {"file": sequence, "position": 0, "count": len(vectors), "dimensions": size, "vectors": halves}
    connection.execute(sa.insert(chunk_vectors).values(values))
    return file_id


def _keep_content(connection: sa.Connection, project: str, document: Kept) -> str:
    file_id, digest = short_id("file-"), short_id("", 64)
    size = sum(map(len, document.texts))
    blob = {"digest": digest, "key": digest, "bytes": size, "state": "live", "touched_at": now()}
    connection.execute(sa.insert(blobs).values(blob))
    file = {
        "id": file_id,
        "project": project,
        "purpose": "assistants",
        "filename": document.name,
        "bytes": size,
        "created_at": now(),
        "status": "processed",
        "digest": digest,
    }
    connection.execute(sa.insert(files).values(file))
    return file_id


def _as_halves(vector: bytes) -> bytes:
    numbers = array("f", unpack(f"<{len(vector) // 4}f", vector))
    return pack(f"<{len(numbers)}e", *numbers)
