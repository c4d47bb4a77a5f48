"""Holds exported files to the facts of Power Platform's published schemas."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "reference/power-platform/facts.json").read_text())
METHODS = ("get", "put", "post", "delete", "patch")
PLAIN = {"string", "number", "integer", "boolean", "array"}
Json = dict[str, Any]


def check_definition(document: Json) -> None:
    assert re.match(FACTS["host"], document["host"])
    assert document["basePath"].startswith("/")
    _check_keys(document, "document")
    _check_extensions(document["info"], "info")
    names = [operation["operationId"] for _, operation in operations_of(document)]
    assert len(names) == len(set(names))
    for path, operation in operations_of(document):
        _check_keys(operation, "operation")
        assert operation.get("x-ms-visibility", "important") in FACTS["visibilities"]
        places = re.findall(r"\{([^}]+)\}", path)
        assert places == [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        for parameter in operation["parameters"]:
            _check_parameter(parameter, names)
        for answer in operation["responses"].values():
            _check_keys(answer, "response")
            _check_schema(answer.get("schema", {}), document, names)
    for schema in document.get("definitions", {}).values():
        _check_schema(schema, document, names)


def check_properties(content: Json) -> None:
    assert set(content) == {"properties"}
    properties = content["properties"]
    assert set(properties) <= set(FACTS["properties"])
    assert re.fullmatch("#[0-9a-f]{6}", properties["iconBrandColor"])
    for parameters in _parameter_sets(properties):
        for name, parameter in parameters.items():
            assert re.match(FACTS["parameter_name"], name)
            _check_connection_parameter(parameter)
    for policy in properties["policyTemplateInstances"]:
        _check_policy(policy)


def operations_of(document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        assert set(item) <= set(METHODS)
        for operation in item.values():
            yield path, operation


def _check_keys(value: Json, kind: str, extensions: str = "") -> None:
    _check_extensions(value, extensions or kind)
    assert {name for name in value if not name.startswith("x-")} <= set(FACTS[kind])


def _check_extensions(value: Json, kind: str) -> None:
    assert {name for name in value if name.startswith("x-ms-")} <= set(FACTS["extensions"][kind])


def _check_parameter(parameter: Json, names: list[str]) -> None:
    place = parameter["in"]
    if place == "body":
        _check_keys(parameter, "body")
        _check_schema(parameter["schema"], {}, names)
        return
    _check_keys(parameter, "parameter", extensions=place)
    assert parameter["type"] in (PLAIN | {"file"} if place == "formData" else PLAIN)
    assert parameter["required"] or place != "path"
    assert parameter.get("format", "int32") in FACTS["formats"]
    assert parameter.get("collectionFormat", "csv") in FACTS["collection_formats"]
    assert parameter.get("x-ms-url-encoding", "single") in FACTS["url_encodings"]
    assert parameter.get("items", {"type": "string"})["type"] in PLAIN
    _check_told(parameter, names)


def _check_schema(schema: Json, document: Json, names: list[str]) -> None:
    if "$ref" in schema:
        assert schema == {"$ref": schema["$ref"]}
        assert schema["$ref"].removeprefix("#/definitions/") in document["definitions"]
        return
    _check_extensions(schema, "schema")
    unknown = {name for name in schema if not name.startswith("x-")} - set(FACTS["schema_keywords"])
    assert not unknown
    assert schema.get("type") != "file"
    assert schema.get("format", "int32") in FACTS["formats"]
    properties = schema.get("properties", {})
    assert set(schema.get("required", [])) <= set(properties)
    _check_told(schema, names)
    for inner in (*properties.values(), *([schema["items"]] if "items" in schema else [])):
        _check_schema(inner, document, names)


def _check_told(value: Json, names: list[str]) -> None:
    assert value.get("x-ms-visibility", "important") in FACTS["visibilities"]
    for extension, fact in (("x-ms-dynamic-values", "dynamic_values"), ("x-ms-dynamic-list", "dynamic_list")):
        if extension in value:
            assert set(value[extension]) <= set(FACTS[fact])
            assert value[extension]["operationId"] in names
    for given in value.get("x-ms-dynamic-list", {}).get("parameters", {}).values():
        assert len(given) == 1
        assert set(given) <= {"value", "parameterReference"}


def _parameter_sets(properties: Json) -> Iterator[Json]:
    assert ("connectionParameters" in properties) != ("connectionParameterSets" in properties)
    if "connectionParameters" in properties:
        yield properties["connectionParameters"]
        return
    sets = properties["connectionParameterSets"]
    assert set(sets) == {"uiDefinition", "values"}
    for each in sets["values"]:
        assert set(each) == {"name", "uiDefinition", "parameters"}
        assert set(each["uiDefinition"]) <= set(FACTS["set_ui_definition"])
        for parameter in each["parameters"].values():
            _check_in_a_set(parameter)
        yield each["parameters"]


def _check_in_a_set(parameter: Json) -> None:
    """The documentation of several kinds of connection asks for more than the schema."""
    told = parameter["uiDefinition"]
    assert told["constraints"]["required"] in {"true", "false"}
    if parameter["type"] != "oauthSetting":
        assert told["schema"] == {"type": parameter["type"], "description": told["description"]}


def _check_connection_parameter(parameter: Json) -> None:
    if parameter["type"] == "oauthSetting":
        assert set(parameter) <= set(FACTS["sign_in_parameter"])
        _check_sign_in(parameter["oAuthSettings"])
    else:
        assert parameter["type"] in FACTS["plain_parameter_types"]
        assert set(parameter) <= set(FACTS["plain_parameter"])
    ui = parameter["uiDefinition"]
    assert set(ui) <= set(FACTS["ui_definition"])
    assert set(ui.get("schema", {})) <= set(FACTS["ui_schema"])
    kinds = {"boolean": bool, "string": str, "integer": int}
    for name, value in ui.get("constraints", {}).items():
        assert type(value) is kinds[FACTS["constraints"][name]]


def _check_sign_in(settings: Json) -> None:
    assert set(settings) <= set(FACTS["oauth_settings"])
    assert settings["identityProvider"] in FACTS["identity_providers"]
    assert settings["redirectMode"] in FACTS["redirect_modes"]
    assert settings["properties"]["IsFirstParty"] in {"True", "False"}
    facts, given = FACTS["aad"], settings["customParameters"]
    assert set(facts["required"]) <= set(given) <= {*facts["required"], *facts["optional"]}
    assert all(set(value) == {"value"} for value in given.values())


def _check_policy(policy: Json) -> None:
    assert set(policy) == {"templateId", "title", "parameters"}
    facts, given = FACTS["policies"][policy["templateId"]], dict(policy["parameters"])
    assert all(isinstance(name, str) for name in given.pop("x-ms-apimTemplate-operationName", []))
    assert given.pop("x-ms-apimTemplate-policySection", "Request") in (facts["section"] or ["Request"])
    names = {name.removeprefix("x-ms-apimTemplateParameter.") for name in given}
    assert set(facts["required"]) <= names <= {*facts["required"], *facts["optional"]}
    assert given.get("x-ms-apimTemplateParameter.existsAction", "skip") in FACTS["exists_actions"]
    assert given.get("x-ms-apimTemplateParameter.httpMethod", "GET") in FACTS["http_methods"]
