"""Vector stores with files in them, and a job to bring those in, without a server around."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from smalt.core.clock import now
from smalt.engines.protocols import EmbeddingEngine
from smalt.store.database import Database
from smalt.store.tables import blobs, chunk_vectors, chunks, files, vector_store_files, vector_stores

MODEL = "embedder"


@dataclass
class DirectContext:
    """A job's context that keeps its records in memory."""

    input: Mapping[str, Any]
    id: str = "ingest_1"
    project: str = "p"
    recorded: dict[str, Any] = field(default_factory=dict)
    reports: list[Mapping[str, Any]] = field(default_factory=list)

    async def step(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        if name not in self.recorded:
            self.recorded[name] = await work()
        return self.recorded[name]

    async def report(self, progress: Mapping[str, Any]) -> None:
        self.reports.append(progress)


@dataclass
class OneModel:
    """Lends one engine whatever it is asked for."""

    engine: Any
    leases: int = 0

    @contextlib.asynccontextmanager
    async def lease(self, name: str, ability: Any) -> AsyncIterator[Any]:
        assert (name, ability) == (MODEL, EmbeddingEngine)
        self.leases += 1
        yield self.engine


class Shelf:
    """Files on disk, attached to one vector store."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self._folder = folder
        self._paths: dict[str, Path] = {}
        self.reads: list[str] = []

    async def local_path(self, digest: str, folder: Path) -> Path:
        """What `Blobs.local_path` does for a local storage."""
        assert folder.name
        self.reads.append(digest)
        return self._paths[digest]

    async def attach(self, content: bytes, filename: str = "notes.txt", *, most: int = 800, overlap: int = 400) -> int:
        """Put a file into the store; returns its sequence."""
        file_id = f"file-{len(self._paths)}"
        digest = hashlib.sha256(file_id.encode()).hexdigest()
        self._paths[digest] = self._folder / digest
        await asyncio.to_thread(self._paths[digest].write_bytes, content)

        def insert(connection: sa.Connection) -> int:
            store = connection.execute(sa.select(vector_stores.c.sequence)).scalar_one_or_none()
            if store is None:
                row = {"id": "vs_1", "project": "p", "created_at": now(), "is_expired": False}
                row |= {"embedding_model": MODEL, "version": 1}
                store = connection.execute(sa.insert(vector_stores).values(row)).inserted_primary_key[0]
            blob = {"digest": digest, "key": digest, "bytes": len(content), "state": "live", "touched_at": now()}
            connection.execute(sa.insert(blobs).values(blob))
            file = {"id": file_id, "project": "p", "purpose": "assistants", "filename": filename}
            file |= {"bytes": len(content), "created_at": now(), "status": "processed", "digest": digest}
            connection.execute(sa.insert(files).values(file))
            row = {"vector_store": store, "file_id": file_id, "created_at": now(), "status": "in_progress"}
            row |= {"max_chunk_size_tokens": most, "chunk_overlap_tokens": overlap}
            row |= {"usage_bytes": 0, "chunks": 0, "version": 1}
            return connection.execute(sa.insert(vector_store_files).values(row)).inserted_primary_key[0]

        return await self.database.write(insert)

    async def row(self, sequence: int) -> sa.Row[Any]:
        query = sa.select(vector_store_files).where(vector_store_files.c.sequence == sequence)
        return await self.database.read(lambda connection: connection.execute(query).one())

    async def change(self, sequence: int, **values: Any) -> None:
        changed = sa.update(vector_store_files).where(vector_store_files.c.sequence == sequence).values(values)
        await self.database.write(lambda connection: connection.execute(changed))

    async def store_version(self) -> int:
        query = sa.select(vector_stores.c.version)
        return await self.database.read(lambda connection: connection.execute(query).scalar_one())

    async def chunks(self, sequence: int) -> Sequence[sa.Row[Any]]:
        query = sa.select(chunks).where(chunks.c.file == sequence).order_by(chunks.c.position)
        return await self.database.read(lambda connection: connection.execute(query).all())

    async def embedded(self, sequence: int) -> int:
        """How many chunks have vectors, in whatever order they were made."""
        query = sa.select(sa.func.sum(chunk_vectors.c.count)).where(chunk_vectors.c.file == sequence)
        return await self.database.read(lambda connection: connection.execute(query).scalar_one()) or 0

    async def vectors(self, sequence: int) -> np.ndarray:
        """The vectors of a file, one row a chunk; fails unless there is exactly one for each."""
        query = sa.select(chunk_vectors).where(chunk_vectors.c.file == sequence).order_by(chunk_vectors.c.position)
        rows = await self.database.read(lambda connection: connection.execute(query).all())
        at = 0
        found = []
        for row in rows:
            assert row.position == at, "vectors are missing or doubled"
            at += row.count
            found.append(np.frombuffer(row.vectors, "<f2").reshape(row.count, row.dimensions))
        return np.concatenate(found) if found else np.zeros((0, 0), np.float16)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - it is in a database
            await asyncio.sleep(0.01)
