"""Puts the text of a file together from its chunks, which overlap."""

from collections.abc import Sequence
from typing import Any

from smalt.store.vector_store_files import ChunkedText

Json = dict[str, Any]

SHORTEST_OVERLAP = 8
"""Shorter repetitions happen by chance, so they are not taken for an overlap."""


def content_json(text: ChunkedText) -> Json:
    """The page with a file's text, one part for what each chunk adds."""
    texts = without_overlaps(text.chunks) if text.is_overlapping else text.chunks
    parts = [{"type": "text", "text": one} for one in texts if one]
    return {"object": "vector_store.file_content.page", "data": parts, "has_more": False, "next_page": None}


def without_overlaps(texts: Sequence[str]) -> list[str]:
    """The texts, each without the beginning that repeats the end of the one before."""
    return [text[overlap(texts[number - 1], text) if number else 0 :] for number, text in enumerate(texts)]


def overlap(before: str, text: str) -> int:
    """The length of the longest end of `before` that `text` begins with."""
    seed = text[:SHORTEST_OVERLAP]
    start = before.find(seed, max(0, len(before) - len(text)))
    while start >= 0 and len(seed) == SHORTEST_OVERLAP:
        if text.startswith(before[start:]):
            return len(before) - start
        start = before.find(seed, start + 1)
    return 0
