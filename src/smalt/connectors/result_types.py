"""Holds values of an answer to the types that a document gives them."""

import sys
from array import array
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

ARRAY: Final = "array"
AS_THEY_ARE: Final = frozenset({"array", "array of array", "array of float", "array of number", "array of double"})
NUMBERS: Final = frozenset({"array of float", "array of number", "array of double"})


def as_documented(value: Any, kind: str) -> Any:
    """The value as the document's type; None when there is none, an empty list for an array.

    A type that the document names itself (`promptFilterResults`) says nothing here: its value stays as it is.
    """
    if kind.startswith(ARRAY):
        return _array(value, kind)
    read = _READERS.get(kind)
    return value if read is None or value is None else read(value)


def _array(value: Any, kind: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str) and kind in NUMBERS:
        return _floats(value)
    items: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType] - JSON
    # Numbers are as they are: an embedding has thousands.
    return items if kind in AS_THEY_ARE else [as_documented(item, kind.removeprefix("array of ")) for item in items]


def _floats(base64: str) -> list[float]:
    """An embedding that was asked for as base64: four bytes a number, the smallest first."""
    numbers = array("f", b64decode(base64))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _string(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _integer(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType] - any JSON object


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
    "object": _object,
}
