"""What flows through retrieval: documents, chunks, queries and what they find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from smalt.schemas.vector_stores import ComparisonFilter, CompoundFilter

Filter = ComparisonFilter | CompoundFilter
Mode = Literal["hybrid", "semantic", "text"]

POSITION_BITS = 20
"""A chunk's number over all stores is file << POSITION_BITS | position, so a file has at most 2**20 chunks."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document in reading order; `page` counts from 1, `heading` is the path of headings above it."""

    text: str
    page: int | None = None
    heading: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file as it is embedded and found."""

    position: int
    text: str
    tokens: int
    page: int | None = None
    heading: str | None = None


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """What an index is asked. `vectors` are float32 rows of unit length; `texts` are the queries' words.

    `mode` hybrid uses both and fuses them. `filter` is over the attributes of files; `files` are the sequences of
    those that may be found, all when None. A chunk must pass both.
    """

    vector_store: int
    at_least_version: int
    limit: int
    mode: Mode = "hybrid"
    vectors: Sequence[bytes] = ()
    texts: Sequence[str] = ()
    filter: Filter | None = None
    vector_weight: float = 1.0
    text_weight: float = 1.0
    files: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that an index found, best first; scores are in 0..1, higher is better, None when that side missed it."""

    file: int
    position: int
    score: float
    vector_score: float | None = None
    text_score: float | None = None


class ChunkIndex(Protocol):
    """Finds chunks by meaning and by words; derived from the store, so it can be lost without loss."""

    async def search(self, query: IndexQuery) -> list[Hit]:
        """The best hits, of the vector store as it was at `at_least_version` or later."""
        ...

    async def forget(self, vector_store: int) -> None:
        """Drop what is kept for a vector store that was deleted or expired."""
        ...

    async def close(self) -> None:
        """Release what it holds."""
        ...


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a client searches for in one vector store. `vectors` stand for the embeddings of `queries` when given."""

    queries: Sequence[str]
    limit: int = 10
    mode: Mode = "hybrid"
    filter: Filter | None = None
    score_threshold: float = 0.0
    ranker: str = "auto"
    vectors: Sequence[bytes] = ()
    vector_weight: float | None = None
    text_weight: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that a search found, with what a client may see of it."""

    file_id: str
    filename: str
    attributes: Mapping[str, Any]
    file: int
    position: int
    text: str
    score: float
    page: int | None = None
    heading: str | None = None
    vector_score: float | None = None
    text_score: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
