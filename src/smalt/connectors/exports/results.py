"""The schemas of results: of the connector's own flattened ones, and of the services' raw answers."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from smalt.connectors.definitions.vocabulary import Action, Connector, Definition, Operation, ReturnField
from smalt.connectors.exports.types import Schema, nullable, schema_of
from smalt.connectors.paths import steps

BINARY: Schema = {"type": "string", "format": "binary"}
CUSTOM: Schema = {
    "type": "object",
    "properties": {
        "statusCode": {"type": "integer", "format": "int32", "x-ms-summary": "Status code"},
        "headers": {"type": "object", "x-ms-summary": "Headers"},
        "body": {"x-ms-summary": "Body"},
    },
}


def result_schema(connector: Connector, action: Action) -> Schema:
    """What the facade answers."""
    if any(parameter.place == "custom" for parameter in action.parameters):
        return CUSTOM
    if action.returns_type in {each.name for each in connector.definitions}:
        return {"$ref": f"#/definitions/{action.returns_type}"}
    return fields_schema(action.returns)


def answer_schema(action: Action, operation: Operation) -> Schema:
    """What the service itself answers, as far as the document tells."""
    if operation.answer == "binary":
        return BINARY
    return fields_schema(tuple(_raw(action.returns)))


def definitions_of(connector: Connector) -> dict[str, Schema]:
    """The nested types of the connector's document."""
    known = {each.name for each in connector.definitions}
    return {each.name: _definition(each, known) for each in connector.definitions}


def fields_schema(fields: Sequence[ReturnField], known: Collection[str] = ()) -> Schema:
    """An object with the fields at their paths; a path goes through lists without a mark."""
    schema: Schema = {"type": "object"}
    for field in fields:
        _put(schema, [str(step) for step in steps(field.path)], field, known)
    return schema


def _definition(definition: Definition, known: Collection[str]) -> Schema:
    if definition.type == "object":
        schema = nullable(fields_schema(definition.fields, known))
    else:
        schema = nullable(schema_of(definition.type, known))
    return {**schema, **({"description": definition.description} if definition.description else {})}


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
        kind = "array of number" if field.type == "array of array" else field.type
        yield replace(field, path=path, type=kind)


def _lists(source: str) -> Iterator[str]:
    """The paths of what a source takes an element of: `choices` of `choices[0].text`."""
    parts = source.split(".")
    for depth, part in enumerate(parts[:-1], 1):
        if part.endswith("]"):
            yield ".".join(part.partition("[")[0] for part in parts[:depth])
