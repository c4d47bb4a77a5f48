"""Reads what a run's items say: what the user asked last, and what was found in earlier turns."""

from collections.abc import Sequence
from typing import Any

from smalt.tools.protocols import Json, Source

SOURCES = "_sources"
"""The key under which a stored call keeps what it told the model of; never shown."""
MOST_EARLIER = 4
"""So many calls back an answer may rest on."""


def last_question(items: Sequence[Json]) -> str:
    """What the user said last, in words; empty when that was no text."""
    for item in reversed(items):
        if item.get("type", "message") == "message" and item.get("role") == "user":
            return _text(item.get("content"))
    return ""


def kept(sources: Sequence[Source]) -> list[Json]:
    """Sources as an item keeps them under `SOURCES`."""
    return [{"annotation": one.annotation, "text": one.text, "mark": one.mark} for one in sources]


def earlier_sources(items: Sequence[Json]) -> list[Source]:
    """What the last calls among the items found: a follow-up question is often answered from it, without a new call."""
    calls = [item[SOURCES] for item in items if item.get(SOURCES)][-MOST_EARLIER:]
    return [Source(one["annotation"], one["text"], one["mark"]) for call in calls for one in call]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if part.get("type") == "input_text")
