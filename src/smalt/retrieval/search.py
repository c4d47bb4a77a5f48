"""Searches a vector store: query to vectors, index to chunks, chunks to what a client may see."""

from smalt.core.settings import RetrievalSettings
from smalt.models import Models
from smalt.retrieval.protocols import ChunkIndex, Found, SearchQuery
from smalt.store.database import Database


class Search:
    """Searches the vector stores of every project; a caller finds its own project's only."""

    def __init__(self, settings: RetrievalSettings, database: Database, models: Models, index: ChunkIndex) -> None:
        self._settings = settings
        self._database = database
        self._models = models
        self._index = index

    async def search(self, project: str, vector_store_id: str, query: SearchQuery) -> list[Found]:
        """What fits best, best first; `NotFound` for another project's store, 400 for one that has expired."""
        raise NotImplementedError

    async def rewrite(self, query: str) -> str:
        """A query as a search engine likes it: the rewrite model's words, or the query without its padding."""
        raise NotImplementedError
