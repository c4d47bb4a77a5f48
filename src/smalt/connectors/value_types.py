"""Turns what people type, or what a cell holds, into the type that a document gives a parameter."""

import binascii
import math
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from smalt.connectors.definitions.vocabulary import ValueType
from smalt.connectors.exchange import FileValue
from smalt.core.errors import InvalidRequest

LONGEST_QUOTE = 60
TRUTHS: Final = {"true": True, "false": False}
TEXTS: Final = frozenset({"string", "securestring", "array of string"})
LARGEST: Final = 2**63


class _WrongType(Exception):
    """The value is not of the type; the text says what it should be."""


def typed(value: Any, kind: ValueType, name: str) -> Any:
    """The value as `kind`; raises `InvalidRequest` for `name` when it cannot be that."""
    try:
        return _READERS[kind](value)
    except _WrongType as wanted:
        raise InvalidRequest(
            f"'{name}' must be {wanted}, not {_shown(value)}.", param=name, code="invalid_type"
        ) from None


def is_empty(value: Any, kind: ValueType = "string") -> bool:
    """Whether a cell or an argument holds nothing; spaces are something only where text is asked for."""
    if not isinstance(value, str):
        return value is None
    return not (value if kind in TEXTS else value.strip())


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a spreadsheet has no other way to hold a whole number
    if isinstance(value, int | float):
        return str(value)
    raise _WrongType("text")


def _integer(value: Any) -> int:
    number = _number(value, "a whole number")
    if isinstance(number, float):
        if not number.is_integer():
            raise _WrongType("a whole number")
        number = int(number)
    if abs(number) >= LARGEST:
        raise _WrongType("a whole number of at most 63 bits")
    return number


def _number(value: Any, wanted: str = "a number") -> int | float:
    if isinstance(value, str):
        value = _parsed_number(value.strip(), wanted)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongType(wanted)
    try:
        # JSON has no longer whole numbers than these.
        number = value if abs(value) < LARGEST else float(value)
    except OverflowError:
        raise _WrongType(wanted) from None
    if not math.isfinite(number):
        raise _WrongType(wanted)
    return number


def _parsed_number(text: str, wanted: str) -> int | float:
    for read in () if "_" in text else (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    raise _WrongType(wanted)


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        value = TRUTHS.get(value.strip().lower())
    if not isinstance(value, bool):
        raise _WrongType("true or false")
    return value


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = parsed_json(value)
    if not isinstance(value, Mapping):
        raise _WrongType('a JSON object such as {"name": "value"}')
    return dict(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - any JSON object


def _file(value: Any) -> FileValue:
    if isinstance(value, FileValue):
        return value
    if isinstance(value, Mapping) and "$content" in value:
        return _file_of_content(value)  # pyright: ignore[reportUnknownArgumentType] - any JSON object
    raise _WrongType(
        "a file: give its path as @path (for rows as @{{column}}), or the file that another action answered"
    )


def _file_of_content(value: Mapping[str, Any]) -> FileValue:
    try:
        content = b64decode(str(value["$content"]), validate=True)
    except (binascii.Error, ValueError):
        raise _WrongType("a file whose $content is base64") from None
    content_type = str(value.get("$content-type") or FileValue.content_type)
    return FileValue(str(value.get("name") or "file"), content, content_type)


def _strings(value: Any) -> list[str]:
    if not isinstance(value, str):
        return _all(value, _string, "a list of texts")
    given: Any = parsed_json(value)
    # Text that only looks like a list (`[1] says so`) is one text.
    if isinstance(given, list) and all(isinstance(item, str) for item in given):  # pyright: ignore[reportUnknownVariableType] - JSON
        return given  # pyright: ignore[reportUnknownVariableType] - all texts
    return [value]


def _list_of(read: Callable[[Any], Any], wanted: str) -> Callable[[Any], list[Any]]:
    def listed(value: Any) -> list[Any]:
        if isinstance(value, str):
            given = parsed_json(value)
            value = value if given is None else given
        return _all(value if isinstance(value, list | tuple) else [value], read, wanted)

    return listed


def _all(value: Any, read: Callable[[Any], Any], wanted: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _WrongType(wanted)
    try:
        return [read(item) for item in value]  # pyright: ignore[reportUnknownVariableType] - any JSON list
    except _WrongType:
        raise _WrongType(wanted) from None


def parsed_json(text: str) -> Any:
    """What the JSON says, or None when it is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _shown(value: Any) -> str:
    if isinstance(value, FileValue):
        return "a file"
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


_READERS: Final[Mapping[ValueType, Callable[[Any], Any]]] = {
    "string": _string,
    "securestring": _string,
    "integer": _integer,
    "number": _number,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
    "object": _object,
    "file": _file,
    "array of string": _strings,
    "array of integer": _list_of(_integer, "a list of whole numbers such as [1, 2]"),
    "array of float": _list_of(_number, "a list of numbers such as [0.1, 0.2]"),
    "array of object": _list_of(_object, "a list of JSON objects"),
}
