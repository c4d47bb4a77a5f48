"""Finds what a JSON schema says in words: a model reads it with everything else."""

from typing import Any, Final, cast

WORDS: Final = ("title", "description")
VALUES: Final = ("enum", "const", "default", "examples")
"""The keywords whose texts are for the reader; those of values anywhere inside them."""


def text_of_schema(schema: object) -> str:
    """The titles, descriptions and values of a schema, a line each; empty where it has none."""
    found: list[str] = []
    # A stack and no recursion, for clients may nest as deep as they like; the last comes out first.
    left: list[tuple[object, bool]] = [(schema, False)]
    while left:
        one, is_told = left.pop()
        if isinstance(one, dict):
            keywords = cast("dict[str, Any]", one)
            left += [(value, is_told or _is_told(name, value)) for name, value in reversed(keywords.items())]
        elif isinstance(one, list):
            left += [(value, is_told) for value in reversed(cast("list[object]", one))]
        elif isinstance(one, str) and one and is_told:
            found.append(one)
    return "\n".join(found)


def _is_told(name: str, value: object) -> bool:
    """Whether a keyword's texts are for the reader; a property may have the name of one, and a schema as its value."""
    return name in VALUES or (name in WORDS and isinstance(value, str))
