"""Searches the data source of a request: its queries become vectors, run side by side, and are judged together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smalt.core.errors import ApiError
from smalt.core.settings import RetrievalSettings
from smalt.models import Models
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.protocols import DataSource, Document, Query, Retrieval
from smalt.retrieval.data_sources.relevance import DEFAULT_DOCUMENTS, DEFAULT_STRICTNESS, judged
from smalt.schemas.on_your_data import (
    AzureChatDataSource,
    AzureCosmosDBChatDataSource,
    AzureSearchChatDataSource,
    DataSourceParameters,
    ElasticsearchChatDataSource,
    MongoDBChatDataSource,
)

if TYPE_CHECKING:
    import aiohttp

MOST_DOCUMENTS_ASKED = 50
LEAST_DOCUMENTS_ASKED = 10


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found, and what its vectors cost on this server."""

    retrieval: Retrieval
    embedding_model: str | None = None
    embedding_tokens: int = 0


class DataSources:
    """Searches whatever source a request names, as far as the settings allow its host."""

    def __init__(self, settings: RetrievalSettings, models: Models) -> None:
        self._hosts = Hosts(settings.data_source_hosts)
        self._models = models
        self._session: aiohttp.ClientSession | None = None

    async def search(self, source: AzureChatDataSource, queries: Sequence[str]) -> Searched:
        """What the queries find, judged; raises when a query fails, or when all do and partial results are allowed."""
        from smalt.retrieval.data_sources.vectors import Vectors, embedded

        parameters = source.parameters
        opened = await self._opened(source)
        try:
            made = Vectors([])
            dependency = parameters.embedding_dependency
            if opened.needs_vectors and dependency is not None:
                made = await embedded(
                    dependency, queries, models=self._models, session=self._client(), hosts=self._hosts
                )
            rows = made.rows or [None] * len(queries)
            asked = [Query(text, row) for text, row in zip(queries, rows, strict=True)]
            return Searched(await _retrieved(opened, asked, parameters), made.model, made.prompt_tokens)
        finally:
            await opened.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _opened(self, source: AzureChatDataSource) -> DataSource:
        """The source, from its own module, so that nothing is imported that no request has asked for."""
        hosts = self._hosts
        if isinstance(source, AzureSearchChatDataSource):
            from smalt.retrieval.data_sources.azure_search import AzureSearch

            return await AzureSearch.open(source.parameters, session=self._client(), hosts=hosts)
        if isinstance(source, ElasticsearchChatDataSource):
            from smalt.retrieval.data_sources.elasticsearch import Elasticsearch

            return Elasticsearch.open(source.parameters, session=self._client(), hosts=hosts)
        if isinstance(source, AzureCosmosDBChatDataSource):
            from smalt.retrieval.data_sources.azure_cosmos_db import AzureCosmosDB

            return AzureCosmosDB.open(source.parameters, hosts=hosts)
        if isinstance(source, MongoDBChatDataSource):
            from smalt.retrieval.data_sources.mongo_db import MongoDB

            return MongoDB.open(source.parameters, hosts=hosts)
        from smalt.retrieval.data_sources.pinecone import Pinecone

        return Pinecone.open(source.parameters, session=self._client(), hosts=hosts)

    def _client(self) -> "aiohttp.ClientSession":
        if self._session is None:
            # Most servers are never asked to search elsewhere, and aiohttp is slow to import.
            import aiohttp

            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            )
        return self._session


async def _retrieved(source: DataSource, queries: Sequence[Query], parameters: DataSourceParameters) -> Retrieval:
    wanted = parameters.top_n_documents or DEFAULT_DOCUMENTS
    limit = max(wanted, min(MOST_DOCUMENTS_ASKED, max(LEAST_DOCUMENTS_ASKED, 2 * wanted)))
    # The first query alone learns what the index is like; the others can use that at once.
    results = [await _attempt(source, queries[0], limit)]
    results += await asyncio.gather(*(_attempt(source, query, limit) for query in queries[1:]))
    found = [(query, result) for query, result in zip(queries, results, strict=True) if isinstance(result, list)]
    failures = [result for result in results if isinstance(result, ApiError)]
    if failures and (not found or not parameters.allow_partial_result):
        raise failures[0]
    return judged(found, strictness=parameters.strictness or DEFAULT_STRICTNESS, top_n_documents=wanted)


async def _attempt(source: DataSource, query: Query, limit: int) -> list[Document] | ApiError:
    """What one query finds, or why it failed; whether that fails the request depends on the others."""
    try:
        return await source.search(query, limit)
    except ApiError as error:
        return error
