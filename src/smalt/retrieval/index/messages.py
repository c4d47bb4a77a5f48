"""Carries queries and hits between the processes: a JSON header, and the vectors as bytes behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from smalt.retrieval.protocols import Filter, Hit, IndexQuery

_filter = TypeAdapter[Filter](Filter)


def pack_query(query: IndexQuery) -> tuple[dict[str, Any], bytes]:
    """The header and the payload of a query."""
    header = {
        "vector_store": query.vector_store,
        "at_least_version": query.at_least_version,
        "limit": query.limit,
        "mode": query.mode,
        "sizes": [len(vector) for vector in query.vectors],
        "texts": list(query.texts),
        "filter": None if query.filter is None else query.filter.model_dump(),
        "files": None if query.files is None else sorted(query.files),
        "vector_weight": query.vector_weight,
        "text_weight": query.text_weight,
    }
    return header, b"".join(query.vectors)


def unpack_query(header: Mapping[str, Any], payload: bytes) -> IndexQuery:
    """The query that `pack_query` packed."""
    vectors: list[bytes] = []
    start = 0
    for size in header["sizes"]:
        vectors.append(payload[start : start + size])
        start += size
    return IndexQuery(
        vector_store=header["vector_store"],
        at_least_version=header["at_least_version"],
        limit=header["limit"],
        mode=header["mode"],
        vectors=vectors,
        texts=header["texts"],
        filter=None if header["filter"] is None else _filter.validate_python(header["filter"]),
        files=None if header["files"] is None else frozenset(header["files"]),
        vector_weight=header["vector_weight"],
        text_weight=header["text_weight"],
    )


def pack_hits(hits: Sequence[Hit]) -> dict[str, Any]:
    """The header of an answer."""
    return {"hits": [(hit.file, hit.position, hit.score, hit.vector_score, hit.text_score) for hit in hits]}


def unpack_hits(header: Mapping[str, Any]) -> list[Hit]:
    """The hits that `pack_hits` packed."""
    return [Hit(*fields) for fields in header["hits"]]
