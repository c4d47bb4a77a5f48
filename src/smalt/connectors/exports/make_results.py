"""What a module answers with, as Make and Fusion show it to the modules after it."""

from collections.abc import Mapping
from typing import Any, Final

from smalt.connectors.definitions.vocabulary import Action
from smalt.connectors.exports.results import answer_schema, plain_result_schema
from smalt.connectors.exports.types import Schema

KINDS: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "object": "collection",
    "array": "array",
}
SAMPLES: Final[Mapping[str, Any]] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True}


def result_of(action: Action, *, is_cloud: bool) -> Schema:
    """The fields of a module's result: the document's, or those of the operations it calls."""
    operation = action.operations[0]
    is_raw = is_cloud and bool(action.returns) and operation.answer != "binary"
    return answer_schema(action, operation) if is_raw else plain_result_schema(action)


def interface(schema: Schema) -> list[dict[str, Any]]:
    """The fields as the interface of a module."""
    return [_field(name, each) for name, each in schema.get("properties", {}).items()]


def sample(schema: Schema) -> Any:
    """A value of the schema."""
    kind = schema.get("type", "string")
    if kind == "object":
        return {name: sample(each) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample(schema["items"])]
    return SAMPLES[kind]


def _field(name: str, schema: Schema) -> dict[str, Any]:
    field: dict[str, Any] = {"name": name, "label": schema.get("x-ms-summary", name), **_kind(schema)}
    if help_text := schema.get("description"):
        field["help"] = help_text
    return field


def _kind(schema: Schema) -> dict[str, Any]:
    kind = KINDS.get(schema.get("type", ""), "any")
    if kind == "array":
        inner: Schema = schema["items"]
        spec = interface(inner) if inner.get("properties") else _kind(inner)
        return {"type": kind, "spec": spec}
    if kind == "collection":
        return {"type": kind, "spec": interface(schema)}
    return {"type": kind}
