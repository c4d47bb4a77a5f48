"""What flows between a chat and the data source behind it: queries out, documents back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Measure = Literal["similarity", "words", "fused"]
"""What a score means: nearness of vectors, weight of shared words, or a place in a ranking fused from both."""
FilterReason = Literal["score", "rerank"]

PARAMETERS = "data_sources[0].parameters"
"""Where in a request the parameters are that errors name."""


@dataclass(frozen=True, slots=True)
class Query:
    """One search: its words, and its vector when the source searches by vectors that are made here."""

    text: str
    vector: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What a source found for one query. `key` tells documents apart; `similarity` is a cosine, where there is one."""

    key: str
    content: str
    score: float
    measure: Measure
    title: str | None = None
    url: str | None = None
    filepath: str | None = None
    chunk_id: str | None = None
    similarity: float | None = None
    rerank_score: float | None = None


@dataclass(slots=True)
class Retrieved:
    """A document with the queries that found it, and why it is not shown to the model, if it is not."""

    document: Document
    queries: list[str]
    filter_reason: FilterReason | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Everything that was found, best first; `shown` are those that passed."""

    queries: Sequence[str]
    documents: list[Retrieved] = field(default_factory=list[Retrieved])

    @property
    def shown(self) -> list[Retrieved]:
        """The documents that nothing has filtered."""
        return [one for one in self.documents if one.filter_reason is None]


class DataSource(Protocol):
    """Finds documents in one index of one service."""

    @property
    def needs_vectors(self) -> bool:
        """Whether queries must come with vectors."""
        ...

    async def search(self, query: Query, limit: int) -> list[Document]:
        """The best documents for a query, best first."""
        ...

    async def close(self) -> None:
        """Release connections of its own."""
        ...
