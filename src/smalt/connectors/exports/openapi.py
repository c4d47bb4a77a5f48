"""Exports connectors as one OpenAPI 3.1 document of a Smalt's facade."""

from collections.abc import Sequence
from typing import Any, Final

from smalt.connectors.definitions.vocabulary import Connector
from smalt.connectors.exports.destination import LOCAL, on_smalt
from smalt.connectors.exports.swagger import JSON, swagger
from smalt.connectors.exports.types import Schema

REFERENCE: Final = "#/definitions/"
SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of the server, or an Entra ID token."},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key", "description": "A key of the server."},
}
ERROR: Final[Schema] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {name: {"type": ["string", "null"]} for name in ("message", "type", "param", "code")},
        }
    },
}
"""What every failure answers with, which a Swagger document for Power Platform may not say."""


def openapi(connectors: Sequence[Connector], url: str = LOCAL) -> dict[str, Any]:
    """The document; names of operations and schemas begin with those of their connectors."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Schema] = {}
    for connector in connectors:
        document = swagger(connector, on_smalt(connector, url))
        for path, item in document["paths"].items():
            paths[f"/connectors/{connector.name}{path}"] = {
                method: _operation(connector, operation) for method, operation in item.items()
            }
        for name, schema in document.get("definitions", {}).items():
            schemas[f"{connector.name}.{name}"] = _schema(schema, connector.name)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Smalt's connectors",
            "description": "Actions in the flattened shapes of the connectors' documents.",
            "version": "1.0",
        },
        "servers": [{"url": _server(connectors[0], url)}],
        "security": [{name: []} for name in SECURITY],
        "tags": [{"name": each.name, "description": each.description} for each in connectors],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SECURITY},
    }


def _server(connector: Connector, url: str) -> str:
    return on_smalt(connector, url).url.removesuffix(f"/connectors/{connector.name}")


def _operation(connector: Connector, operation: dict[str, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = operation["parameters"]
    made: dict[str, Any] = {
        **{name: value for name, value in operation.items() if name not in {"parameters", "responses", "consumes"}},
        "operationId": f"{connector.name}.{operation['operationId']}",
        "tags": [connector.name],
        "parameters": [_parameter(each) for each in parameters if each["in"] in {"path", "query"}],
        "responses": {
            status: {
                "description": answer["description"],
                "content": {JSON: {"schema": _schema(answer.get("schema", ERROR), connector.name)}},
            }
            for status, answer in operation["responses"].items()
        },
    }
    if body := _body(parameters, connector.name):
        made["requestBody"] = body
    return made


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    outer = {"name", "in", "required", "description", "x-ms-summary"}
    kept = {name: value for name, value in parameter.items() if name in outer}
    return {**kept, "schema": _without_microsoft({n: v for n, v in parameter.items() if n not in outer})}


def _body(parameters: Sequence[dict[str, Any]], connector: str) -> dict[str, Any]:
    for each in parameters:
        if each["in"] == "body":
            return {"required": each["required"], "content": {JSON: {"schema": _schema(each["schema"], connector)}}}
    fields = [each for each in parameters if each["in"] == "formData"]
    if not fields:
        return {}
    schema = {
        "type": "object",
        "required": [each["name"] for each in fields if each["required"]],
        "properties": {each["name"]: _field(each) for each in fields},
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _field(parameter: dict[str, Any]) -> Schema:
    schema = {name: value for name, value in parameter.items() if name not in {"name", "in", "required"}}
    is_file = schema["type"] == "file"
    return _without_microsoft({**schema, **({"type": "string", "format": "binary"} if is_file else {})})


def _schema(schema: Schema, connector: str) -> Schema:
    """A schema of Swagger 2.0 as one of JSON Schema, at every depth."""
    made = _without_microsoft(schema)
    if "$ref" in made:
        return {"$ref": f"#/components/schemas/{connector}.{made['$ref'].removeprefix(REFERENCE)}"}
    if made.pop("x-nullable", False):
        made["type"] = [made["type"], "null"]
    if "properties" in made:
        made["properties"] = {name: _schema(each, connector) for name, each in made["properties"].items()}
    if "items" in made:
        made["items"] = _schema(made["items"], connector)
    return made


def _without_microsoft(schema: Schema) -> Schema:
    """Without what refers to a Swagger document; the titles stay."""
    made = {name: value for name, value in schema.items() if not name.startswith("x-ms-")}
    title = schema.get("x-ms-summary")
    return {"title": title, **made} if title else made
