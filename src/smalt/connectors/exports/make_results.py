"""What a module answers with, as Make and Fusion show it to the modules after it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from smalt.connectors.definitions.registry import connector as connector_of
from smalt.connectors.definitions.rows import returned
from smalt.connectors.definitions.vocabulary import Action, Operation, ReturnField
from smalt.connectors.exports.results import CUSTOM, answer_schema, fields_schema
from smalt.connectors.exports.types import Schema

FILE: Final = returned(
    ("id", "ID", "string"),
    ("object", "Object", "string"),
    ("bytes", "Bytes", "integer"),
    ("created_at", "Created at", "integer"),
    ("filename", "File name", "string"),
    ("purpose", "Purpose", "string"),
    ("status", "Status", "string"),
)
DELETED: Final = returned(("id", "ID", "string"), ("object", "Object", "string"), ("deleted", "Deleted", "boolean"))
CONTENT: Final = returned(
    ("$content", "Content in base64", "string"),
    ("$content-type", "Content type", "string"),
)
DATA: Final = returned(("object", "Object", "string"), ("data", "Data", "array of object"))
MODEL: Final = returned(
    ("id", "ID", "string"),
    ("object", "Object", "string"),
    ("created", "Created", "integer"),
    ("owned_by", "Owned by", "string"),
)
UNDOCUMENTED: Final[Mapping[str, Sequence[ReturnField]]] = {
    "GET /files": (*DATA, *(ReturnField(path=f"data.{f.path}", title=f.title, type=f.type) for f in FILE)),
    "GET /files/{file_id}": FILE,
    "GET /files/{file_id}/content": CONTENT,
    "DELETE /files/{file_id}": DELETED,
    "GET /models/{model}": MODEL,
    "DELETE /models/{model}": DELETED,
}
"""The answers of operations that no document of a connector describes."""
KINDS: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "object": "collection",
    "array": "array",
}
SAMPLES: Final[Mapping[str, Any]] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True}


def result_of(action: Action, operations: Sequence[Operation], *, is_cloud: bool) -> Schema:
    """The fields of a module's result: the document's, or those of the operations it calls."""
    if any(parameter.place == "custom" for parameter in action.parameters):
        return CUSTOM
    if action.returns:
        is_raw = is_cloud and operations[0].answer != "binary"
        return answer_schema(action, operations[0]) if is_raw else fields_schema(action.returns)
    merged: Schema = {"type": "object", "properties": {}}
    for operation in operations:
        merged["properties"] |= _answered(operation).get("properties", {})
    return merged


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


def _answered(operation: Operation) -> Schema:
    known = UNDOCUMENTED.get(f"{operation.method} {operation.path}")
    if known is not None:
        return fields_schema(known)
    for action in connector_of("openai-gpt").actions:
        other = action.operations[0]
        if (other.method, other.path) == (operation.method, operation.path):
            return answer_schema(action, operation)
    return {"type": "object"}
