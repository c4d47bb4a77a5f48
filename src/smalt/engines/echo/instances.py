"""Makes the smallest value that fits a JSON Schema, the same one every time."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from smalt.core.errors import UnsupportedValue

Schema = Mapping[str, Any]

DEEPEST: Final = 64
SMALLEST_FIRST: Final = ("null", "boolean", "integer", "number", "string", "array", "object")
FORMATS: Final = {
    "date-time": "2000-01-01T00:00:00Z",
    "date": "2000-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "a@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
CANDIDATES: Final = ("", "a", "A", "0", "aa", "AA", "00", "a0", "A0", "abc", "000", "0000", "a@b.cd", "2000-01-01")
"""Tried in turn for a string with a pattern."""


def smallest(schema: Any, *, param: str) -> Any:
    """The smallest instance of `schema`; raises `UnsupportedValue` for `param` when none is found."""
    return _Maker(schema, param).make(schema, DEEPEST)


class _Maker:
    def __init__(self, root: Any, param: str) -> None:
        self._root = root
        self._param = param

    def make(self, schema: Any, depth: int) -> Any:
        if depth == 0:
            raise self._refusal("it refers to itself without an end")
        if not isinstance(schema, Mapping) or not schema:
            return None
        known = self._resolved(cast("Schema", schema), depth)
        if "const" in known:
            return known["const"]
        if "enum" in known:
            return known["enum"][0]
        for key in ("anyOf", "oneOf"):
            if key in known:
                return self._first({**known, key: []}, known[key], depth)
        return self._of_type(known, depth)

    def _resolved(self, schema: Schema, depth: int) -> Schema:
        """The schema with what it refers to, and all of its `allOf`, taken in."""
        if depth == 0:
            raise self._refusal("it refers to itself without an end")
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        parts = list(schema.get("allOf", ()))
        if "$ref" in schema:
            parts.append(self._pointed(schema["$ref"]))
        for part in parts:
            merged = _merged(merged, self._resolved(part, depth - 1))
        return merged

    def _pointed(self, reference: str) -> Schema:
        here: Any = self._root
        for name in reference.removeprefix("#").split("/")[1:]:
            try:
                here = here[name.replace("~1", "/").replace("~0", "~")]
            except (KeyError, TypeError):
                raise self._refusal(f"'{reference}' refers to nothing") from None
        return here

    def _first(self, schema: Schema, options: Sequence[Schema], depth: int) -> Any:
        """An instance of the first option that has one."""
        base = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
        refusal: UnsupportedValue | None = None
        for option in options:
            try:
                return self.make(_merged(base, option), depth - 1)
            except UnsupportedValue as error:
                refusal = error
        raise refusal or self._refusal("it has an empty anyOf or oneOf")

    def _of_type(self, schema: Schema, depth: int) -> Any:
        kinds: list[str] | str | None = schema.get("type")
        kind: str | None = min(kinds, key=_size) if isinstance(kinds, list) else kinds
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, depth)
        if kind == "array" or (kind is None and "items" in schema):
            return self._array(schema, depth)
        if kind == "string" or (kind is None and ("pattern" in schema or "minLength" in schema)):
            return self._string(schema)
        if kind in ("integer", "number"):
            return self._number(schema, is_whole=kind == "integer")
        return False if kind == "boolean" else None

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: Schema = schema.get("properties", {})
        return {name: self.make(properties.get(name), depth - 1) for name in schema.get("required", ())}

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        firsts: list[Schema] = schema.get("prefixItems", [])
        size: int = schema.get("minItems", 0)
        kinds = [firsts[place] if place < len(firsts) else schema.get("items") for place in range(size)]
        return [self.make(kind, depth - 1) for kind in kinds]

    def _string(self, schema: Schema) -> str:
        least: int = schema.get("minLength", 0)
        text = FORMATS.get(schema.get("format", ""), "")
        pattern: str | None = schema.get("pattern")
        if pattern is None:
            return text.ljust(least, "a")
        for candidate in (text, *CANDIDATES):
            if re.search(pattern, candidate) and len(candidate) >= least:
                return candidate
        raise self._refusal(f"the echo engine knows no text of the pattern {pattern!r}")

    def _number(self, schema: Schema, *, is_whole: bool) -> float:
        step: float = schema.get("multipleOf", 1)
        least = _bound(schema, "minimum", "exclusiveMinimum", max)
        most = _bound(schema, "maximum", "exclusiveMaximum", min)
        if least is None or least[0] <= 0:
            value = 0 if most is None or most[0] >= 0 else math.floor(most[0] / step) * step
        else:
            value = math.ceil(least[0] / step) * step
        if least is not None and (value < least[0] or (value == least[0] and least[1])):
            value += step
        if most is not None and (value > most[0] or (value == most[0] and most[1])):
            value -= step
        return int(value) if is_whole else value

    def _refusal(self, reason: str) -> UnsupportedValue:
        message = f"Unsupported value: '{self._param}' has a schema that cannot be met here: {reason}."
        return UnsupportedValue(message, param=self._param)


def _size(kind: str) -> int:
    return SMALLEST_FIRST.index(kind)


def _bound(schema: Schema, closed: str, exclusive: str, tightest: Any) -> tuple[float, bool] | None:
    """The tighter of the two bounds, and whether it is excluded."""
    bounds = [(schema[key], key == exclusive) for key in (closed, exclusive) if key in schema]
    return tightest(bounds) if bounds else None


def _merged(one: Schema, other: Schema) -> dict[str, Any]:
    """Both schemas as one: properties and required names of both, else the second's word."""
    merged = {**one, **other}
    if "properties" in one and "properties" in other:
        merged["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        merged["required"] = [*one["required"], *(name for name in other["required"] if name not in one["required"])]
    return merged
