"""Turns a JSON Schema into a rule of llguidance's grammar, and says which part of a schema it cannot hold."""

import re
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, cast

import orjson

Json = dict[str, Any]

LAYOUT: Json = {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "}
"""One line with a space after each separator: left free, small models write blanks without end."""

FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"},
)
"""Formats that the grammar enforces; any other is a note, as JSON Schema has it."""

UNHELD = frozenset(
    {
        "not",
        "if",
        "then",
        "else",
        "contains",
        "minContains",
        "maxContains",
        "propertyNames",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
        "$dynamicRef",
        "$recursiveRef",
    }
)
"""Keywords that no grammar can hold, or this one does not."""

WITHOUT_EFFECT: Mapping[str, Any] = {"uniqueItems": False, "unevaluatedProperties": True, "unevaluatedItems": True}

LOOKS_AROUND = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9]")
"""What regular expressions can say only with memory or a look at what comes."""

MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
LISTS = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")

COMBINED = frozenset({"allOf", "oneOf", "not", "if", "dependentSchemas", "patternProperties", "propertyNames"})
"""Keywords by which a value may have to fit several schemas at once, or must not fit one."""

LOOSE = frozenset({"additionalProperties", "unevaluatedProperties", "minProperties"})
"""Keywords by which an object speaks of properties that it does not name."""

Path = tuple[str | int, ...]


def json_rule(schema: Mapping[str, Any], *, lenient: bool = False) -> str:
    """The right side of a grammar rule that matches what fits `schema`; `lenient` drops what cannot be held."""
    layout = {**LAYOUT, "lenient": True} if lenient else LAYOUT
    return "%json " + orjson.dumps({**cleaned(dict(schema), lenient=lenient), "x-guidance": layout}).decode()


def grammar(rules: str) -> str:
    """A grammar that llama.cpp hands to llguidance; `rules` has one named start."""
    return "%llguidance {}\n" + rules


def cleaned(schema: Any, *, lenient: bool = False) -> Any:
    """The schema without what has no effect on which values fit, or which regular expressions cannot be held."""
    if not isinstance(schema, dict):
        return schema
    parts = cast("Json", schema)
    return {
        name: _inside(name, value, partial(cleaned, lenient=lenient))
        for name, value in parts.items()
        if not _is_left_out(name, value, lenient=lenient)
    }


def _is_left_out(name: str, value: Any, *, lenient: bool) -> bool:
    if name == "format":
        return value not in FORMATS
    if name == "pattern" and lenient:
        return isinstance(value, str) and LOOKS_AROUND.search(value) is not None
    return name in WITHOUT_EFFECT and value is WITHOUT_EFFECT[name]


def _inside(name: str, value: Any, change: Callable[[Any], Any]) -> Any:
    """A keyword's value with every schema in it changed."""
    if name in MAPS and isinstance(value, dict):
        return {key: change(part) for key, part in value.items()}  # pyright: ignore[reportUnknownVariableType] - any JSON
    if name in LISTS and isinstance(value, list):
        return [change(part) for part in value]  # pyright: ignore[reportUnknownVariableType] - any JSON
    return change(value) if name in SINGLE else value


def closed(schema: Json) -> Json:
    """The schema with no properties but those that it names, wherever an object does not speak of others.

    Few authors write `additionalProperties: false` for a function, and a small model that may write on makes up
    properties without end. What fits the answer fits `schema`, which is left alone where that is not plain to see.
    """
    if any(_is_combined(part) for _, part in subschemas(schema)):
        return schema
    return _closed(schema)


def _is_combined(part: Json) -> bool:
    return not COMBINED.isdisjoint(part) or sum(name in part for name in ("properties", "anyOf", "$ref")) > 1


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    parts = cast("Json", schema)
    inside = {name: _inside(name, value, _closed) for name, value in parts.items()}
    return {**inside, "additionalProperties": False} if _names_all(parts) else inside


def _names_all(part: Json) -> bool:
    named, required = part.get("properties"), part.get("required", [])
    if not isinstance(named, dict) or not isinstance(required, list) or not LOOSE.isdisjoint(part):
        return False
    return bool(named) and all(name in named for name in required)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - any JSON


def subschemas(schema: Any, path: Path = ()) -> Generator[tuple[Path, Json]]:
    """Every schema inside a schema with its path, the innermost first, itself last."""
    if not isinstance(schema, dict):
        return
    parts = cast("Json", schema)
    for name, value in parts.items():
        if name in MAPS and isinstance(value, dict):
            for key, part in value.items():  # pyright: ignore[reportUnknownVariableType] - any JSON
                yield from subschemas(part, (*path, name, str(key)))  # pyright: ignore[reportUnknownArgumentType]
        elif name in LISTS and isinstance(value, list):
            for position, part in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
                yield from subschemas(part, (*path, name, position))
        elif name in SINGLE:
            yield from subschemas(value, (*path, name))
    yield path, parts


def unheld_keyword(schema: Mapping[str, Any]) -> Path | None:
    """The path of the first keyword that cannot be held, if one is there."""
    for path, part in subschemas(cleaned(dict(schema))):
        for name in part:
            if name in UNHELD:
                return (*path, name)
        if (reference := part.get("$ref")) is not None and not is_resolved(schema, reference):
            return (*path, "$ref")
    return None


def is_resolved(schema: Mapping[str, Any], reference: Any) -> bool:
    """Whether a reference points into the schema itself."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return False
    if not reference.startswith("#/"):
        # The root, or an anchor, which is left to the grammar's compiler.
        return True
    part: Any = schema
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        part = _stepped(part, name)
        if part is None:
            return False
    return True


def _stepped(part: Any, name: str) -> Any:
    if isinstance(part, list):
        return part[int(name)] if name.isdigit() and int(name) < len(part) else None  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return part.get(name) if isinstance(part, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def spelled(path: Path) -> str:
    """A path as errors write it: `properties.kids.items`, `anyOf[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
