"""Decides which documents are relevant enough: the strictness of a request as thresholds on scores."""

from collections.abc import Sequence

from smalt.retrieval.data_sources.protocols import Document, FilterReason, Query, Retrieval, Retrieved
from smalt.retrieval.data_sources.words import content_words, coverage

DEFAULT_STRICTNESS = 3
DEFAULT_DOCUMENTS = 5
LEAST_SIMILARITY = {1: 0.0, 2: 0.1, 3: 0.2, 4: 0.3, 5: 0.45}
"""The least cosine between a query and a document."""
LEAST_COVERAGE = {1: 0.0, 2: 0.1, 3: 0.2, 4: 0.4, 5: 0.6}
"""The least share of a query's words in a document found by its words: such scores have no scale of their own."""
LEAST_RERANK = {1: 0.0, 2: 0.5, 3: 1.0, 4: 1.5, 5: 2.0}
"""The least semantic rank, of 4."""
LEAST_OF_BEST = {1: 0.0, 2: 0.3, 3: 0.5, 4: 0.65, 5: 0.8}
"""The least share of the best document's score for the same query."""

Found = Sequence[tuple[Query, list[Document]]]


def judged(found: Found, *, strictness: int, top_n_documents: int) -> Retrieval:
    """Everything found, each document once and best first, with the reason why it is filtered, if it is."""
    merged: dict[str, Retrieved] = {}
    for query, documents in found:
        words, best = content_words(query.text), _best(documents)
        for document in documents:
            passes = _passes(document, words, best, strictness)
            _merge(merged, Retrieved(document, [query.text], None if passes else "score"))
    ordered = sorted(merged.values(), key=_order)
    shown = 0
    for one in ordered:
        one.filter_reason = one.filter_reason or _late_reason(one.document, strictness, shown < top_n_documents)
        shown += one.filter_reason is None
    return Retrieval([query.text for query, _ in found], ordered)


def _passes(document: Document, words: set[str], best: float, strictness: int) -> bool:
    """Whether the search's own score is high enough; a document that was ranked again is judged by that."""
    if document.rerank_score is not None:
        return True
    if document.similarity is not None and document.similarity < LEAST_SIMILARITY[strictness]:
        return False
    if document.measure == "words" and coverage(words, _words(document)) < LEAST_COVERAGE[strictness]:
        return False
    return _strength(document) >= LEAST_OF_BEST[strictness] * best


def _late_reason(document: Document, strictness: int, has_room: bool) -> FilterReason | None:  # noqa: FBT001
    weak = document.rerank_score is not None and document.rerank_score < LEAST_RERANK[strictness]
    return "rerank" if weak or not has_room else None


def _merge(merged: dict[str, Retrieved], one: Retrieved) -> None:
    """A document found twice has both queries, its better score, and passes when it passed once."""
    known = merged.get(one.document.key)
    if known is None:
        merged[one.document.key] = one
        return
    known.queries += [query for query in one.queries if query not in known.queries]
    if known.filter_reason is not None and one.filter_reason is None:
        known.filter_reason = None
    if _rank(one.document) > _rank(known.document):
        known.document = one.document


def _order(one: Retrieved) -> tuple[bool, float, float]:
    rerank, score = _rank(one.document)
    return one.filter_reason is not None, -rerank, -score


def _rank(document: Document) -> tuple[float, float]:
    return document.rerank_score or 0.0, document.score


def _strength(document: Document) -> float:
    return document.score if document.similarity is None else document.similarity


def _best(documents: Sequence[Document]) -> float:
    return max((_strength(document) for document in documents), default=0.0)


def _words(document: Document) -> set[str]:
    return content_words(f"{document.title or ''} {document.content}")
