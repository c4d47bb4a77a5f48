"""Joins what was found by meaning with what was found by words; how was measured (docs/retrieval.md)."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from smalt.retrieval.protocols import POSITION_BITS, Hit

Key = TypeVar("Key", bound=Hashable)

CANDIDATES = 200
"""Each side gives at least as many, so that a chunk that is middling on both sides can win (measured: 100 is worse)."""


def candidates(limit: int) -> int:
    """How many hits each side is asked for when `limit` are wanted."""
    return max(CANDIDATES, 2 * limit)


def fuse(
    by_vector: Mapping[int, float],
    by_text: Mapping[int, float],
    *,
    vector_weight: float = 1.0,
    text_weight: float = 1.0,
    limit: int,
) -> list[Hit]:
    """The best of both sides, each a map from chunk to score in 0..1, by the weighted mean of the two scores.

    Both scores mean something by themselves (a cosine, and a share of what the query's words can reach), so their mean
    does too; ranks, as reciprocal rank fusion takes them, lose that, and found less.
    """
    scores = blend([(by_vector, vector_weight), (by_text, text_weight)])
    best = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))[:limit]
    return [hit(chunk, scores[chunk], by_vector.get(chunk), by_text.get(chunk)) for chunk in best]


def blend(sides: Sequence[tuple[Mapping[Key, float], float]]) -> dict[Key, float]:
    """The weighted mean of scores from several sides; what a side misses, or whose weight is 0, counts as nothing."""
    whole = sum(weight for _, weight in sides)
    if whole <= 0:
        return {}
    blended: dict[Key, float] = {}
    for scores, weight in sides:
        for key, score in scores.items() if weight > 0 else ():
            blended[key] = min(1.0, blended.get(key, 0.0) + score * weight / whole)
    return blended


def one_sided(side: Mapping[int, float], *, is_vector: bool, limit: int) -> list[Hit]:
    """The best of the only side that was asked; its scores are the hits' scores."""
    best = sorted(side, key=lambda chunk: (-side[chunk], chunk))[:limit]
    return [
        hit(chunk, side[chunk], side[chunk] if is_vector else None, None if is_vector else side[chunk])
        for chunk in best
    ]


def hit(chunk: int, score: float, vector_score: float | None, text_score: float | None) -> Hit:
    """A hit from a chunk's number."""
    return Hit(chunk >> POSITION_BITS, chunk & ((1 << POSITION_BITS) - 1), score, vector_score, text_score)
