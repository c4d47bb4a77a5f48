"""Turns a search request into a query, and what was found into a page."""

from collections.abc import Sequence
from typing import Any

from smalt.retrieval.protocols import Found, SearchQuery
from smalt.retrieval.search import Search
from smalt.schemas.vector_stores import VectorStoreSearchRankingOptions, VectorStoreSearchRequest

Json = dict[str, Any]


async def search_store(search: Search, project: str, vector_store_id: str, body: VectorStoreSearchRequest) -> Json:
    """The page that answers a search; its `search_query` shows what was really searched for."""
    queries = [body.query] if isinstance(body.query, str) else list(body.query)
    if body.rewrite_query:
        queries = [await search.rewrite(query) for query in queries]
    found = await search.search(project, vector_store_id, _query(queries, body))
    return _page(queries, found)


def _query(queries: Sequence[str], body: VectorStoreSearchRequest) -> SearchQuery:
    ranking = body.ranking_options or VectorStoreSearchRankingOptions()
    weights = ranking.hybrid_search
    return SearchQuery(
        queries=queries,
        limit=body.max_num_results,
        filter=body.filters,
        score_threshold=ranking.score_threshold,
        ranker=ranking.ranker,
        vector_weight=weights.embedding_weight if weights else None,
        text_weight=weights.text_weight if weights else None,
    )


def _page(queries: Sequence[str], found: Sequence[Found]) -> Json:
    return {
        "object": "vector_store.search_results.page",
        "search_query": list(queries),
        "data": [_item(one) for one in found],
        "has_more": False,
        "next_page": None,
    }


def _item(one: Found) -> Json:
    return {
        "file_id": one.file_id,
        "filename": one.filename,
        "score": one.score,
        "attributes": dict(one.attributes),
        "content": [{"type": "text", "text": one.text}],
    }
