"""Indexes over chunks: derived from the store, rebuilt whenever they are lost."""

from smalt.core.settings import Settings
from smalt.engines.host.client import EngineHost
from smalt.retrieval.protocols import ChunkIndex, Hit, IndexQuery
from smalt.store.database import Database


def open_index(settings: Settings, host: EngineHost | None, database: Database) -> ChunkIndex:
    """The index that the settings name; nothing is started until the first search."""
    del settings, host, database
    return Unopened()


class Unopened:
    """Finds nothing; stands here until the embedded index does."""

    async def search(self, query: IndexQuery) -> list[Hit]:
        """Nothing."""
        del query
        return []

    async def forget(self, vector_store: int) -> None:
        """Nothing to drop."""

    async def close(self) -> None:
        """Nothing to release."""
