"""The schemas of results: of the connector's own flattened ones, and of the services' raw answers."""

from collections.abc import Collection
from typing import Final

from smalt.connectors.definitions.vocabulary import Action, Connector, Definition, Operation
from smalt.connectors.exports.answers import operation_schema, raw_schema
from smalt.connectors.exports.field_schemas import fields_schema
from smalt.connectors.exports.types import Schema, nullable, schema_of

BINARY: Final[Schema] = {"type": "string", "format": "binary"}
CUSTOM: Final[Schema] = {
    "type": "object",
    "properties": {
        "statusCode": {"type": "integer", "format": "int32", "x-ms-summary": "Status code"},
        "headers": {"type": "object", "x-ms-summary": "Headers"},
        "body": {"x-ms-summary": "Body"},
    },
}


def result_schema(connector: Connector, action: Action) -> Schema:
    """What the facade answers; a nested type of the document is referred to."""
    if action.returns_type in {each.name for each in connector.definitions}:
        return {"$ref": f"#/definitions/{action.returns_type}"}
    return plain_result_schema(action)


def plain_result_schema(action: Action) -> Schema:
    """What the facade answers, spelled out; without documented fields, those of all the action's operations."""
    if any(parameter.place == "custom" for parameter in action.parameters):
        return CUSTOM
    if action.returns:
        return fields_schema(action.returns)
    merged: Schema = {"type": "object", "properties": {}}
    for operation in action.operations:
        merged["properties"] |= operation_schema(operation).get("properties", {})
    return merged


def answer_schema(action: Action, operation: Operation) -> Schema:
    """What the service itself answers, as far as the documents tell."""
    if operation.answer == "binary":
        return BINARY
    return raw_schema(action.returns) if action.returns else operation_schema(operation)


def definitions_of(connector: Connector) -> dict[str, Schema]:
    """The nested types of the connector's document."""
    known = {each.name for each in connector.definitions}
    return {each.name: _definition(each, known) for each in connector.definitions}


def _definition(definition: Definition, known: Collection[str]) -> Schema:
    if definition.type == "object":
        schema = nullable(fields_schema(definition.fields, known))
    else:
        schema = nullable(schema_of(definition.type, known))
    return {**schema, **({"description": definition.description} if definition.description else {})}
