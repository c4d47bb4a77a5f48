"""Checks that a connector's result has what its document promises."""

from collections.abc import Iterator
from typing import Any

from smalt.connectors.definitions.vocabulary import Action

PLAIN: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": int | float,
    "float": int | float,
    "double": int | float,
    "boolean": bool,
    "object": dict,
}


def check_types(asked: Action, result: dict[str, Any]) -> None:
    """Every documented field is there, with the documented type where the service gave a value."""
    for field in asked.returns:
        for value in at_path(result, field.path.split("."), field.path):
            assert is_of(value, field.type), (field.path, field.type, value)


def at_path(value: Any, path: list[str], whole: str) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from at_path(item, path, whole)
    elif value is not None:
        assert path[0] in value, (whole, value)
        if len(path) == 1:
            yield value[path[0]]
        else:
            yield from at_path(value[path[0]], path[1:], whole)


def is_of(value: Any, kind: str) -> bool:
    if kind.startswith("array"):
        inner = kind.removeprefix("array").removeprefix(" of ")
        inner = "" if inner == "array" or (value and isinstance(value[0], list)) else inner
        return isinstance(value, list) and all(not inner or is_of(item, inner) for item in value)
    plain = PLAIN[kind]
    return value is None or (isinstance(value, plain) and (plain is bool or not isinstance(value, bool)))
