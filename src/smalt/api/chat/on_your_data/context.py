"""Tells, in an answer, what was searched for and found."""

from collections.abc import Sequence
from typing import Any

import orjson

from smalt.retrieval.data_sources import Document, Retrieval, Retrieved

Json = dict[str, Any]

DEFAULT_CONTEXTS = ("citations", "intent")


def context_json(retrieval: Retrieval, contexts: Sequence[str] | None) -> Json:
    """The context of a message, with the parts that were asked for."""
    parts: Json = {
        "citations": [citation_json(one.document) for one in retrieval.shown],
        "intent": orjson.dumps(list(retrieval.queries)).decode(),
        "all_retrieved_documents": [_retrieved(one) for one in retrieval.documents],
    }
    return {name: part for name, part in parts.items() if name in (DEFAULT_CONTEXTS if contexts is None else contexts)}


def citation_json(document: Document) -> Json:
    """A document as a citation; the mark [doc1] means the first one."""
    return {
        "content": document.content,
        "title": document.title,
        "url": document.url,
        "filepath": document.filepath,
        "chunk_id": document.chunk_id or "0",
    }


def _retrieved(one: Retrieved) -> Json:
    document = one.document
    told: Json = {
        **citation_json(document),
        "search_queries": one.queries,
        "data_source_index": 0,
        "original_search_score": document.score,
    }
    if document.rerank_score is not None:
        told["rerank_score"] = document.rerank_score
    if one.filter_reason is not None:
        told["filter_reason"] = one.filter_reason
    return told
