"""Finds what a JSON schema says in words: a model reads it with everything else."""

from collections.abc import Iterator
from typing import Any, Final, cast

TOLD: Final = ("title", "description", "enum", "const", "default", "examples")
"""The keywords whose texts are for the reader."""


def text_of_schema(schema: object) -> str:
    """The titles, descriptions and values of a schema, a line each; empty where it has none."""
    found: list[str] = []
    # A stack and no recursion, for clients may nest as deep as they like; the last comes out first.
    left = [schema]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            keywords = cast("dict[str, Any]", one)
            found += [text for name in TOLD for text in _texts(keywords.get(name))]
            left += reversed(keywords.values())
        elif isinstance(one, list):
            left += reversed(cast("list[object]", one))
    return "\n".join(found)


def _texts(value: object) -> Iterator[str]:
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    yield from (text for text in values if isinstance(text, str) and text)
