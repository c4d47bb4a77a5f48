"""Searches a vector store: query to vectors, index to chunks, chunks to what a client may see."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import contextmanager
from operator import mul
from struct import unpack
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import ContextLengthExceeded, InvalidRequest
from smalt.core.settings import RetrievalSettings
from smalt.retrieval.closeness import in_bounds
from smalt.retrieval.protocols import ChunkIndex, Found, Hit, IndexQuery, Mode, SearchQuery
from smalt.retrieval.rewriting import asked_of, unpadded
from smalt.retrieval.store_files import StoreFiles
from smalt.store.chunks import read_chunks
from smalt.store.database import Database
from smalt.store.tables import files, vector_store_files
from smalt.store.vector_stores import VectorStore, find_usable_store, touch

if TYPE_CHECKING:
    from collections.abc import Generator

    from smalt.models import Models

logger = logging.getLogger(__name__)

TOUCH_SECONDS = 60
"""How long a use of a store may go unnoted: a search shall not wait for a write, and expiry counts in days."""
FLOAT_BYTES = 4


class Search:
    """Searches the vector stores of every project; a caller finds its own project's only."""

    def __init__(self, settings: RetrievalSettings, database: Database, models: "Models", index: ChunkIndex) -> None:
        self._settings = settings
        self._database = database
        self._models = models
        self._index = index
        self.files = StoreFiles(database)
        self._touching: dict[int, asyncio.Task[None]] = {}

    async def search(self, project: str, vector_store_id: str, query: SearchQuery) -> list[Found]:
        """What fits best, best first; `NotFound` for another project's store, 400 for one that has expired."""
        store = await self.open(project, vector_store_id)
        mode = _mode(query)
        vectors = query.vectors
        if mode != "text" and not vectors:
            vectors = await self.embed(store, query.queries)
        found = await self.find(
            store,
            IndexQuery(
                store.sequence,
                store.version,
                query.limit,
                mode,
                vectors if mode != "text" else (),
                query.queries if mode != "semantic" else (),
                query.filter,
                1.0 if query.vector_weight is None else query.vector_weight,
                1.0 if query.text_weight is None else query.text_weight,
            ),
        )
        return [one for one in found if one.score >= query.score_threshold]

    async def open(self, project: str, vector_store_id: str) -> VectorStore:
        """The store that is searched, noted as in use; raises as `search` does."""
        store = await self._database.read(lambda connection: find_usable_store(connection, project, vector_store_id))
        if now() - store.last_active_at >= TOUCH_SECONDS and store.sequence not in self._touching:
            task = asyncio.create_task(self._touch(store))
            self._touching[store.sequence] = task
            task.add_done_callback(lambda done: self._touched(store, done))
        return store

    async def embed(self, store: VectorStore, texts: Sequence[str]) -> list[bytes]:
        """A unit vector of float32 for each text, by the model that embedded the store."""
        from smalt.engines.protocols import EmbeddingEngine

        with _about_the_query():
            async with self._models.lease(store.embedding_model, EmbeddingEngine) as engine:
                embedded = await engine.embed(list(texts))
        size = embedded.dimensions * FLOAT_BYTES
        return [embedded.rows[start : start + size] for start in range(0, len(embedded.rows), size)]

    async def closeness(self, store: VectorStore, text: str, others: Sequence[str]) -> list[float]:
        """How near other texts are to a text in meaning, each in 0..1."""
        asked, *rows = [unpack(f"<{len(row) // FLOAT_BYTES}f", row) for row in await self.embed(store, [text, *others])]
        return [in_bounds(sum(map(mul, asked, row))) for row in rows]

    async def find(self, store: VectorStore, query: IndexQuery) -> list[Found]:
        """What the index finds, with its text and its file; what was removed meanwhile is left out."""
        hits = await self.hits(query)
        if not hits:
            return []
        return await self._database.read(lambda connection: read_found(connection, store.sequence, hits))

    async def hits(self, query: IndexQuery) -> list[Hit]:
        """What the index finds, without looking whether it is still there."""
        return await self._index.search(query)

    async def rewrite(self, query: str) -> str:
        """A query as a search engine likes it: the rewrite model's words, or the query without its padding."""
        model = self._settings.rewrite_model
        asked = await asked_of(self._models, model, query) if model else None
        return asked or unpadded(query)

    async def close(self) -> None:
        """Wait for what is still being noted."""
        await asyncio.gather(*self._touching.values(), return_exceptions=True)

    async def _touch(self, store: VectorStore) -> None:
        def move(connection: sa.Connection) -> None:
            touch(connection, find_usable_store(connection, store.project, store.id))

        await self._database.write(move)

    def _touched(self, store: VectorStore, task: "asyncio.Task[None]") -> None:
        del self._touching[store.sequence]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("a vector store's use was not noted", extra={"vector_store": store.id}, exc_info=error)


def read_found(connection: sa.Connection, vector_store: int, hits: Sequence[Hit]) -> list[Found]:
    """The hits with text and file, in their order, without those that are no longer there."""
    chunks = read_chunks(connection, [(hit.file, hit.position) for hit in hits])
    owners = {row.sequence: row for row in connection.execute(_owners(vector_store, {hit.file for hit in hits}))}
    return [
        Found(
            file_id=owner.file_id,
            filename=owner.filename,
            attributes=owner.attributes or {},
            file=hit.file,
            position=hit.position,
            text=chunk.text,
            score=hit.score,
            page=chunk.page,
            heading=chunk.heading,
            vector_score=hit.vector_score,
            text_score=hit.text_score,
        )
        for hit in hits
        if (owner := owners.get(hit.file)) is not None and (chunk := chunks.get((hit.file, hit.position))) is not None
    ]


def _owners(vector_store: int, sequences: set[int]) -> sa.Select[Any, Any, Any, Any]:
    """The files that hits are of, as far as a search may still show them."""
    attached = vector_store_files.c
    return (
        sa.select(attached.sequence, attached.file_id, attached.attributes, files.c.filename)
        .join(files, files.c.id == attached.file_id)
        .where(
            attached.sequence.in_(sequences),
            attached.vector_store == vector_store,
            attached.status == "completed",
            attached.deleted_at.is_(None),
            files.c.deleted_at.is_(None),
            sa.or_(files.c.expires_at.is_(None), files.c.expires_at > now()),
        )
    )


def _mode(query: SearchQuery) -> Mode:
    """The ranker `none` ranks by meaning alone; every other one joins meaning and words, unless one weighs nothing."""
    if query.mode != "hybrid":
        return query.mode
    if query.ranker == "none" or (query.text_weight == 0 and query.vector_weight != 0):
        return "semantic"
    return "text" if query.vector_weight == 0 and query.text_weight != 0 else "hybrid"


@contextmanager
def _about_the_query() -> "Generator[None]":
    """Say of the query what an engine says of its input."""
    try:
        yield
    except ContextLengthExceeded as error:
        raise ContextLengthExceeded(f"The query is too long. {error.message}", param="query") from error
    except InvalidRequest as error:
        if error.param != "input":
            raise
        raise InvalidRequest(
            f"The query cannot be embedded: {error.message}", param="query", code=error.code
        ) from error
