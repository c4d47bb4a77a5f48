"""The OpenAPI 3.1 document of the facade."""

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from smalt.connectors.definitions.registry import connector, connectors
from smalt.connectors.exports.openapi import openapi
from smalt.connectors.facade.finding import paths

Json = dict[str, Any]
DOCUMENT: Json = json.loads(json.dumps(openapi(connectors(), "https://smalt.example.com/ai/")))


def schemas(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from schemas(each)


def test_the_document_is_valid():
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert DOCUMENT["servers"] == [{"url": "https://smalt.example.com/ai"}]
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert name.startswith("azure-openai")


def test_every_action_is_there_at_a_path_of_the_facade():
    found = {
        operation["operationId"]: (method, path)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    }
    for each in connectors():
        for action in each.actions:
            operation_id = f"{each.name}.{''.join(part.capitalize() for part in action.name.split('_'))}"
            method, path = found.pop(operation_id)
            assert (method.upper(), path.removeprefix(f"/connectors/{each.name}")) in paths(action)
    assert not found


def test_nothing_of_swagger_is_left():
    assert "#/definitions/" not in json.dumps(DOCUMENT)
    for schema in schemas(DOCUMENT):
        assert not {"x-nullable", "x-ms-dynamic-values", "x-ms-dynamic-list"} & set(schema)
        assert schema.get("type") != "file"


def test_files_are_parts_of_a_form_and_results_may_be_nothing():
    operation = DOCUMENT["paths"]["/connectors/openai-gpt/audio/transcriptions"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file", "model"]
    assert (form["properties"]["file"]["type"], form["properties"]["file"]["format"]) == ("string", "binary")
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["properties"]["text"]["type"] == ["string", "null"]
    assert DOCUMENT["paths"]["/connectors/openai-gpt/completions"]["post"]["deprecated"] is True


def test_one_connector_can_be_had_alone():
    document = openapi([connector("openai-gpt")])
    assert all(path.startswith("/connectors/openai-gpt/") for path in document["paths"])
    OpenAPIV31SpecValidator(document).validate()
