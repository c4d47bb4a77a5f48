"""A small handbook to search in, and ways to rank its pages as search services do."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

PAGES: list[dict[str, Any]] = [
    {
        "id": "travel-0",
        "title": "Travel expenses",
        "content": "Employees book trains in second class. Hotels are paid up to 140 euros a night. "
        "Receipts must reach the finance office within 30 days.",
        "url": "https://intranet.example/travel",
        "filepath": "travel.md",
        "chunk_id": "0",
        "category": "money",
    },
    {
        "id": "holidays-0",
        "title": "Holidays",
        "content": "Everybody has 28 days of holiday a year. Unused days expire at the end of March of the next year.",
        "url": "https://intranet.example/holidays",
        "filepath": "holidays.md",
        "chunk_id": "0",
        "category": "time",
    },
    {
        "id": "bicycles-0",
        "title": "Company bicycles",
        "content": "Company bicycles stand in the cellar. The key hangs at the reception. "
        "A bicycle may be borrowed for one day without asking.",
        "url": "https://intranet.example/bicycles",
        "filepath": "bicycles.md",
        "chunk_id": "0",
        "category": "things",
    },
    {
        "id": "library-0",
        "title": "Library",
        "content": "The library opens on Tuesday and Thursday from nine to four. Books are lent for six weeks.",
        "url": "https://intranet.example/library",
        "filepath": "library.md",
        "chunk_id": "0",
        "category": "things",
    },
    {
        "id": "parking-0",
        "title": "Parking",
        "content": "Parking places behind the house are for visitors. Employees park in the Garden Street garage, "
        "which costs 35 euros a month.",
        "url": "https://intranet.example/parking",
        "filepath": "parking.md",
        "chunk_id": "0",
        "category": "money",
    },
]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def bm25(query: str, texts: Sequence[str]) -> list[float]:
    """How well each text fits the words of a query, as full-text indexes say it."""
    counts = [Counter(words(text)) for text in texts]
    average = sum(count.total() for count in counts) / max(1, len(counts))
    scores = [0.0] * len(counts)
    for word in words(query):
        having = sum(word in count for count in counts)
        rarity = math.log(1 + (len(counts) - having + 0.5) / (having + 0.5))
        for place, count in enumerate(counts):
            found = count[word]
            scores[place] += rarity * found * 2.2 / (found + 1.2 * (0.25 + 0.75 * count.total() / average))
    return scores


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    if len(one) != len(other):
        raise ValueError(f"vectors of {len(one)} and {len(other)} numbers")
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


def topic_vector(text: str) -> list[float]:
    """A vector of what a text is about, for searches by meaning without a model."""
    topics = ("travel train hotel", "holiday free vacation days", "bicycle bike ride", "library book read", "park car")
    known = " ".join(words(text))
    return [0.01 + sum(known.count(word) for word in words(topic)) for topic in topics]
