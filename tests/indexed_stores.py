"""Vector stores filled directly in the database, for tests of what searches them."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa

from smalt.retrieval.protocols import IndexQuery
from smalt.store.database import Database
from smalt.store.tables import chunk_vectors, chunks, vector_store_files, vector_stores

DIMENSIONS = 64


def vector_of(text: str, dimensions: int = DIMENSIONS) -> np.ndarray:
    """The mean of vectors that stand for the words: texts that share words are near to each other."""
    words = re.findall(r"\w+", text.lower()) or [text]
    rows = [
        np.random.RandomState(sum(ord(c) * 31**i for i, c in enumerate(w)) % 2**32).randn(dimensions) for w in words
    ]
    mean = np.mean(rows, axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def packed(vector: np.ndarray) -> bytes:
    return np.asarray(vector, "<f4").tobytes()


def asking(store: int, version: int, text: str = "", **fields: Any) -> IndexQuery:
    """A query for a text, by meaning and by words."""
    defaults = {"limit": 10, "texts": [text] if text else [], "vectors": [packed(vector_of(text))] if text else []}
    return IndexQuery(store, version, **{**defaults, **fields})


@dataclass
class IndexedStore:
    """One vector store, as ingestion would have left it."""

    database: Database
    number: int = 0
    version: int = 0
    ids: int = field(default=0)

    async def make(self) -> "IndexedStore":
        values = {
            "id": f"vs_{secrets.token_hex(8)}",
            "project": "p",
            "created_at": 1,
            "is_expired": False,
            "embedding_model": "m",
        }
        query = sa.insert(vector_stores).values(**values, version=0)
        self.number = await self.database.write(lambda c: c.execute(query).inserted_primary_key[0])
        return self

    async def put(
        self,
        texts: Sequence[str],
        attributes: Mapping[str, Any] | None = None,
        vectors: np.ndarray | None = None,
        status: str = "completed",
    ) -> int:
        """Add a file; returns its number."""
        rows = np.array([vector_of(text) for text in texts]) if vectors is None else vectors
        self.ids += 1

        def write(connection: sa.Connection) -> int:
            version = self.bump(connection)
            values = {"vector_store": self.number, "file_id": f"file-{self.number}-{self.ids}", "created_at": 1}
            values |= {"status": status, "attributes": dict(attributes or {}), "usage_bytes": 1, "chunks": len(texts)}
            values |= {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400, "version": version}
            file = connection.execute(sa.insert(vector_store_files).values(**values)).inserted_primary_key[0]
            if len(texts):
                made = [{"file": file, "position": n, "text": text, "tokens": 1} for n, text in enumerate(texts)]
                connection.execute(sa.insert(chunks), made)
                shape = {"count": len(rows), "dimensions": rows.shape[1], "vectors": rows.astype("<f2").tobytes()}
                connection.execute(sa.insert(chunk_vectors).values(file=file, position=0, **shape))
            return file

        return await self.database.write(write)

    async def describe(self, file: int, attributes: Mapping[str, Any]) -> None:
        await self._change(file, attributes=dict(attributes))

    async def remove(self, file: int) -> None:
        def write(connection: sa.Connection) -> None:
            version = self.bump(connection)
            connection.execute(sa.delete(chunks).where(chunks.c.file == file))
            connection.execute(sa.delete(chunk_vectors).where(chunk_vectors.c.file == file))
            gone = sa.update(vector_store_files).where(vector_store_files.c.sequence == file)
            connection.execute(gone.values(deleted_at=2, version=version))

        await self.database.write(write)

    async def purge(self) -> None:
        """Forget the rows of removed files, as the sweep does after a day."""

        def write(connection: sa.Connection) -> None:
            gone = vector_store_files.c.deleted_at.is_not(None)
            connection.execute(sa.delete(vector_store_files).where(gone))
            mine = vector_stores.c.sequence == self.number
            connection.execute(sa.update(vector_stores).where(mine).values(purged_version=vector_stores.c.version))

        await self.database.write(write)

    async def delete(self) -> None:
        mine = vector_stores.c.sequence == self.number
        await self.database.write(lambda c: c.execute(sa.update(vector_stores).where(mine).values(deleted_at=2)))

    def bump(self, connection: sa.Connection) -> int:
        mine = vector_stores.c.sequence == self.number
        connection.execute(sa.update(vector_stores).where(mine).values(version=vector_stores.c.version + 1))
        self.version = connection.execute(sa.select(vector_stores.c.version).where(mine)).scalar_one()
        return self.version

    async def _change(self, file: int, **values: Any) -> None:
        def write(connection: sa.Connection) -> None:
            changed = sa.update(vector_store_files).where(vector_store_files.c.sequence == file)
            connection.execute(changed.values(version=self.bump(connection), **values))

        await self.database.write(write)
