"""Indexes over chunks: derived from the store, rebuilt whenever they are lost."""

from typing import TYPE_CHECKING

from smalt.retrieval.protocols import ChunkIndex

# The index's own worker imports this package too, and needs none of these.
if TYPE_CHECKING:
    from smalt.core.settings import Settings
    from smalt.engines.host.client import EngineHost
    from smalt.store.database import Database


def open_index(settings: "Settings", host: "EngineHost | None", database: "Database") -> ChunkIndex:
    """The index that the settings name; nothing is started until the first search."""
    if settings.retrieval.index == "pgvector":
        from smalt.retrieval.index.pgvector import PgvectorIndex

        return PgvectorIndex(settings, database)
    from smalt.retrieval.index.embedded import EmbeddedIndex, LocalIndex, worker_spec

    return LocalIndex(settings) if host is None else EmbeddedIndex(worker_spec(settings), host)
