"""The schemas of the services' own answers, as far as the documents and the services' references tell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from smalt.connectors.definitions.registry import connector
from smalt.connectors.definitions.rows import returned
from smalt.connectors.definitions.vocabulary import Operation, ReturnField
from smalt.connectors.exports.field_schemas import fields_schema
from smalt.connectors.exports.types import Schema
from smalt.connectors.paths import steps

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
OPEN: Final = frozenset({"choices.logprobs", "data.data", "hyperparameters.n_epochs"})
"""What documents call a text or a number and services answer as an object, or as either: Power Platform fails a flow
whose answer is not of the type that its definition says."""


def raw_schema(returns: Sequence[ReturnField]) -> Schema:
    """The answer that the fields are taken from; any list in it may be nothing."""
    return _with_nullable_lists(fields_schema(tuple(_raw(returns))))


def operation_schema(operation: Operation) -> Schema:
    """The answer of an operation, by what is known of it from anywhere."""
    known = UNDOCUMENTED.get(f"{operation.method} {operation.path}")
    if known is not None:
        return fields_schema(known)
    for action in connector("openai-gpt").actions:
        other = action.operations[0]
        if (other.method, other.path) == (operation.method, operation.path):
            return raw_schema(action.returns)
    return {"type": "object"}


def _raw(returns: Sequence[ReturnField]) -> Iterator[ReturnField]:
    """The fields where the service has them; what a connector puts together is told by its first source."""
    joined = tuple(f"{field.path}." for field in returns if " + " in field.source)
    for field in returns:
        if field.path.startswith(joined or ("\0",)):
            continue
        source = (field.source or field.path).split(" + ")[0]
        for parent in _lists(source):
            yield ReturnField(path=parent, title=parent.rpartition(".")[2], type="array of object")
        path = ".".join(str(step) for step in steps(source) if isinstance(step, str))
        yield replace(field, path=path, type=_kind(path, field.type))


def _kind(path: str, documented: str) -> str:
    """The type of a value as the service has it; empty when it is not always the same."""
    if path in OPEN and documented in {"string", "integer"}:
        return ""
    return "array of number" if documented == "array of array" else documented


def _lists(source: str) -> Iterator[str]:
    """The paths of what a source takes an element of: `choices` of `choices[0].text`."""
    parts = source.split(".")
    for depth, part in enumerate(parts[:-1], 1):
        if part.endswith("]"):
            yield ".".join(part.partition("[")[0] for part in parts[:depth])


def _with_nullable_lists(schema: Schema) -> Schema:
    made = dict(schema)
    if "properties" in made:
        made["properties"] = {name: _with_nullable_lists(each) for name, each in made["properties"].items()}
    if "items" in made:
        made |= {"items": _with_nullable_lists(made["items"]), "x-nullable": True}
    return made
