"""Writes a connector as a Swagger 2.0 document with the extensions of Power Platform."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from smalt.connectors.definitions.vocabulary import Connector, Parameter
from smalt.connectors.exports.calls import ExportedCall, calls
from smalt.connectors.exports.destination import Destination
from smalt.connectors.exports.requests import annotations, body_schema, is_required
from smalt.connectors.exports.results import answer_schema, definitions_of, result_schema
from smalt.connectors.exports.types import Schema, schema_of

VERSION: Final = "1.0"
JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
FAILED: Final[Schema] = {"description": "The request failed; `error.message` says why and what to do."}
"""Without a schema: Power Platform takes one on expected answers alone."""
AS_JSON: Final = {"array": "As a JSON list.", "object": "As a JSON object."}
"""What forms and queries have no types for."""


def swagger(connector: Connector, destination: Destination) -> dict[str, Any]:
    """The document; every path in it lies below the destination."""
    header = key_header(connector)
    document: dict[str, Any] = {
        "swagger": "2.0",
        "info": _info(connector),
        "host": destination.host,
        "basePath": destination.base_path,
        "schemes": [destination.scheme],
        "consumes": [JSON],
        "produces": [JSON],
        "paths": _paths(connector, calls(connector, is_cloud=destination.is_cloud)),
    }
    if definitions := {} if destination.is_cloud else definitions_of(connector):
        document["definitions"] = definitions
    document["securityDefinitions"] = {"api_key": {"type": "apiKey", "in": "header", "name": header}}
    document["security"] = [{"api_key": []}]
    document["x-ms-connector-metadata"] = [
        {"propertyName": "Website", "propertyValue": connector.website},
        {"propertyName": "Privacy policy", "propertyValue": connector.privacy_policy},
        {"propertyName": "Categories", "propertyValue": ";".join(connector.categories)},
    ]
    return document


def key_header(connector: Connector) -> str:
    """The header that a key is sent in."""
    kinds = [kind for kind in connector.connections if not kind.token_scope]
    return next(name for name, value in kinds[0].headers.items() if "{api_key}" in value)


def _info(connector: Connector) -> dict[str, Any]:
    return {
        "title": connector.title,
        "description": connector.description,
        "version": VERSION,
        "contact": {"name": connector.publisher, "url": connector.website},
    }


def _paths(connector: Connector, all_calls: Sequence[ExportedCall]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for call in all_calls:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(connector, call)
    return paths


def _operation(connector: Connector, call: ExportedCall) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.title,
        "description": call.action.description,
    }
    if call.action.is_deprecated:
        operation["deprecated"] = True
    if call.action.is_deprecated or call.action.is_hidden:
        operation["x-ms-visibility"] = "advanced"
    if call.is_form:
        operation["consumes"] = [FORM]
    schema = _answer(connector, call)
    if schema.get("format") == "binary":
        # Power Platform knows no MIME type that would be true of it.
        operation["produces"] = []
    operation["parameters"] = list(_parameters(connector, call))
    operation["responses"] = {"200": {"description": "What came of it.", "schema": schema}, "default": FAILED}
    return operation


def _answer(connector: Connector, call: ExportedCall) -> Schema:
    if call.is_cloud and call.operation is not None:
        return answer_schema(call.action, call.operation)
    return result_schema(connector, call.action)


def _parameters(connector: Connector, call: ExportedCall) -> Iterator[dict[str, Any]]:
    for parameter in call.in_path:
        yield {**_plain(connector, call, parameter, "path"), "required": True, "x-ms-url-encoding": "single"}
    for parameter in call.in_query:
        yield _plain(connector, call, parameter, "query")
    if call.is_form:
        for parameter in call.in_body:
            yield _plain(connector, call, parameter, "formData")
    elif call.in_body:
        schema = body_schema(connector, call)
        yield {"name": "body", "in": "body", "required": bool(schema.get("required")), "schema": schema}


def _plain(connector: Connector, call: ExportedCall, parameter: Parameter, place: str) -> dict[str, Any]:
    """A parameter outside of a JSON body, where there are no objects: these are sent as their JSON."""
    kind = schema_of(parameter.type)
    name = call.name_of(parameter)
    told = annotations(connector, call, parameter)
    if parameter.type == "file":
        kind = {"type": "file"}
    elif kind["type"] == "array" and call.is_cloud and place == "formData":
        name, kind = f"{name}[]", {**kind, "collectionFormat": "multi"}
    elif kind["type"] in AS_JSON:
        told["description"] = f"{told.get('description', '')} {AS_JSON[kind['type']]}".strip()
        kind = {"type": "string"}
    required = is_required(parameter) or (parameter.required and (place == "path" or call.is_cloud))
    return {
        "name": name,
        "in": place,
        "required": required,
        **kind,
        **told,
    }
