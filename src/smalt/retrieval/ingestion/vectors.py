"""Makes vectors of chunks, and knows their tokens, with a model that is lent for one call at a time."""

import math
import struct
import sys
from array import array
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from smalt.core.errors import EngineFailed
from smalt.engines.protocols import EmbeddingEngine, Embeddings, TokenCounter, TokenStarts
from smalt.retrieval.ingestion.patience import patiently
from smalt.retrieval.tokens import ApproximateTokens

T = TypeVar("T")


class Lender(Protocol):
    """Lends the engine of a model; `smalt.models.Models` is one."""

    def lease(self, name: str, ability: type[T]) -> AbstractAsyncContextManager[T]:
        """Lend it until the context ends."""
        ...


@dataclass(frozen=True, slots=True)
class HalfVectors:
    """Vectors of unit length as float16 rows, little-endian."""

    rows: bytes
    dimensions: int


class EmbeddingModel:
    """The model of a vector store.

    It is lent for one call at a time: its worker may make room for another model's between two batches.
    """

    def __init__(self, lender: Lender, name: str) -> None:
        self._lender = lender
        self._name = name

    async def token_starts(self, texts: Sequence[str]) -> list[TokenStarts]:
        """The tokens of texts as the model sees them, or nearly so when it does not tell."""

        async def ask() -> list[TokenStarts]:
            async with self._lender.lease(self._name, EmbeddingEngine) as engine:
                counter = engine if isinstance(engine, TokenCounter) else ApproximateTokens()
                return await counter.token_starts(texts)

        return await patiently(ask)

    async def embed(self, texts: Sequence[str]) -> HalfVectors:
        """The vectors of texts."""

        async def ask() -> Embeddings:
            async with self._lender.lease(self._name, EmbeddingEngine) as engine:
                return await engine.embed(texts)

        return half_vectors(await patiently(ask), len(texts))


def half_vectors(embeddings: Embeddings, count: int) -> HalfVectors:
    """The same vectors with unit length, at half the size."""
    size = embeddings.dimensions
    numbers = array("f", embeddings.rows)
    if sys.byteorder == "big":
        numbers.byteswap()
    if len(numbers) != count * size:
        raise EngineFailed(f"The embedding model gave {len(numbers)} numbers for {count} texts of {size} each.")
    layout = struct.Struct(f"<{size}e")
    rows: list[bytes] = []
    for start in range(0, len(numbers), size):
        row = numbers[start : start + size]
        length = math.hypot(*row)
        if not math.isfinite(length):
            raise EngineFailed("The embedding model gave a vector with a number that is infinite or none at all.")
        rows.append(layout.pack(*(number / length for number in row) if length else row))
    return HalfVectors(b"".join(rows), size)
