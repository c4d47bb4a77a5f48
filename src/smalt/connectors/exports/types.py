"""The documents' types as JSON schemas, in the words that Swagger 2.0 and OpenAPI 3.1 share."""

from collections.abc import Collection, Mapping
from typing import Any, Final

Schema = dict[str, Any]

LIST_OF: Final = "array of "
PLAIN: Final[Mapping[str, Schema]] = {
    "string": {"type": "string"},
    "securestring": {"type": "string", "format": "password"},
    "integer": {"type": "integer", "format": "int64"},
    "number": {"type": "number", "format": "double"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "file": {"type": "string", "format": "binary"},
    "array": {"type": "array", "items": {"type": "number", "format": "double"}},
}


def schema_of(kind: str, known: Collection[str] = ()) -> Schema:
    """The schema of a document's type; `known` are the names of nested types, which are referred to."""
    if kind.startswith(LIST_OF):
        return {"type": "array", "items": schema_of(kind.removeprefix(LIST_OF), known)}
    if kind in known:
        return {"$ref": f"#/definitions/{kind}"}
    return dict(PLAIN.get(kind, {}))


def nullable(schema: Schema) -> Schema:
    """The schema of a result's value, which is nothing when the service did not tell; lists are empty then."""
    is_open = "$ref" in schema or schema.get("type") in {None, "array"}
    return schema if is_open else {**schema, "x-nullable": True}
