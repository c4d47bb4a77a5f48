"""Return fields as JSON schemas: an object with each field at its path."""

from collections.abc import Collection, Sequence
from typing import Any

from smalt.connectors.definitions.vocabulary import ReturnField
from smalt.connectors.exports.types import Schema, nullable, schema_of
from smalt.connectors.paths import steps


def fields_schema(fields: Sequence[ReturnField], known: Collection[str] = ()) -> Schema:
    """An object with the fields at their paths; a path goes through lists without a mark."""
    schema: Schema = {"type": "object"}
    for field in fields:
        _put(schema, [str(step) for step in steps(field.path)], field, known)
    return schema


def _put(schema: Schema, path: Sequence[str], field: ReturnField, known: Collection[str]) -> None:
    name, *rest = path
    inner: dict[str, Any] = schema["items"] if schema.get("type") == "array" else schema
    properties: dict[str, Schema] = inner.setdefault("properties", {})
    if rest:
        _put(properties.setdefault(name, nullable({"type": "object"})), rest, field, known)
    elif name not in properties:  # a document that goes into a list of lists names it twice
        properties[name] = _described(field, known)


def _described(field: ReturnField, known: Collection[str]) -> Schema:
    schema = nullable(schema_of(field.type, known))
    if "$ref" in schema:
        return schema  # what stands beside a reference does not count
    help_text = {"description": field.help} if field.help else {}
    return {**schema, "x-ms-summary": field.title, **help_text}
