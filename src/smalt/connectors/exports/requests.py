"""The schemas of requests: fields side by side, or in the shape of the service's own request."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from smalt.connectors.containers import REQUIRED
from smalt.connectors.definitions.vocabulary import Connector, Parameter
from smalt.connectors.exports.calls import ExportedCall, camel
from smalt.connectors.exports.types import Schema, schema_of

ACCESS: Final[Schema] = {
    "endpoint": {"type": "string", "x-ms-summary": "Endpoint", "description": "Where the search service listens."},
    "authentication": {
        "type": "object",
        "x-ms-summary": "Authentication",
        "description": "Who asks the search service.",
        "properties": {
            "type": {
                "type": "string",
                "default": "api_key",
                "x-ms-summary": "Type",
                "description": "How it is proved: `api_key` for a key.",
            },
            "key": {"type": "string", "x-ms-summary": "Key", "description": "A key of the search service."},
        },
    },
}
"""What a data source needs where no Smalt adds it: a service takes it from the request alone."""
SOURCES: Final[Schema] = {"x-ms-summary": "Data sources", "description": "What the answer is searched for in."}
LISTS: Final[Mapping[str, Schema]] = {
    "data_sources": SOURCES,
    "dataSources": SOURCES,
    "messages": {"x-ms-summary": "Messages", "description": "The conversation so far, the oldest message first."},
}
"""What is said about lists of which the documents have the fields alone."""


def body_schema(connector: Connector, call: ExportedCall) -> Schema:
    """The JSON body of a call."""
    schema: Schema = {"type": "object"}
    for parameter in call.in_body:
        path = parameter.at.split(".") if call.is_nested else [call.name_of(parameter)]
        _put(schema, path, (), parameter, field_schema(connector, call, parameter))
    if call.is_cloud:
        _add_access(schema)
    return schema


def field_schema(connector: Connector, call: ExportedCall, parameter: Parameter) -> Schema:
    """One field of a body."""
    kind = parameter.sent_as if call.is_cloud and parameter.sent_as else parameter.type
    return {**schema_of(kind), **annotations(connector, call, parameter)}


def annotations(connector: Connector, call: ExportedCall, parameter: Parameter) -> Schema:
    """What tells people about a parameter, and where they choose its value from."""
    told: Schema = {"x-ms-summary": parameter.title}
    if help_text := _help(call, parameter):
        told["description"] = help_text
    if parameter.choices:
        told["enum"] = list(parameter.choices)
    if parameter.default is not None:
        told["default"] = parameter.default
    if visibility := _visibility(parameter):
        told["x-ms-visibility"] = visibility
    return {**told, **_values(connector, parameter, is_cloud=call.is_cloud)}


def _help(call: ExportedCall, parameter: Parameter) -> str:
    if call.operation is not None or not parameter.operations:
        return parameter.help
    titles = [each.title for each in call.action.operations if each.name in parameter.operations]
    return f"{parameter.help} For: {', '.join(titles)}.".strip()


def _visibility(parameter: Parameter) -> str:
    if parameter.is_advanced and not parameter.required:
        return "advanced"
    return "important" if is_required(parameter) else ""


def is_required(parameter: Parameter) -> bool:
    """Whether every call must have it; what belongs to some operations of an action alone is not."""
    return parameter.required and not parameter.operations and parameter.default is None


def _values(connector: Connector, parameter: Parameter, *, is_cloud: bool) -> Schema:
    """Where a list of the possible values comes from, in the older words and in those of today."""
    action = next((each for each in connector.actions if each.name == parameter.values_from), None)
    if action is None:
        return {}
    older: Schema = {"operationId": camel(action.name), "value-collection": "data"}
    newer: Schema = {"operationId": camel(action.name), "itemsPath": "data"}
    selector = next((each for each in action.parameters if each.place == "selector"), None)
    if selector is not None and is_cloud:
        older["operationId"] = newer["operationId"] = camel(action.operations[0].name)
    elif selector is not None:
        older["parameters"] = {selector.name: action.operations[0].name}
        newer["parameters"] = {selector.name: {"value": action.operations[0].name}}
    return {
        "x-ms-dynamic-values": {**older, "value-path": "id", "value-title": "id"},
        "x-ms-dynamic-list": {**newer, "itemValuePath": "id", "itemTitlePath": "id"},
    }


def _put(schema: Schema, path: Sequence[str], way: Sequence[str], parameter: Parameter, leaf: Schema) -> None:
    """Set a field's schema at its path, and mark what must be there on the way."""
    step, *rest = path
    name = step.removesuffix("[]")
    inner: dict[str, Any] = schema["items"] if schema["type"] == "array" else schema
    properties: dict[str, Schema] = inner.setdefault("properties", {})
    here = [*way, name]
    if rest:
        child = properties.setdefault(name, _container(name, is_list=step.endswith("[]")))
        _put(child, rest, here, parameter, leaf)
    else:
        properties[name] = leaf
    if is_required(parameter) if not rest else ".".join(here) in REQUIRED and parameter.required:
        required: list[str] = inner.setdefault("required", [])
        required += [] if name in required else [name]


def _container(name: str, *, is_list: bool) -> Schema:
    return {"type": "array", **LISTS[name], "items": {"type": "object"}} if is_list else {"type": "object"}


def _add_access(schema: Schema) -> None:
    source: Schema | None = schema.get("properties", {}).get("data_sources")
    if source is not None:
        source["items"]["properties"]["parameters"]["properties"] |= ACCESS
