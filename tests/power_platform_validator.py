"""Holds exported definitions to what Power Platform's own validator refuses, by its documentation."""

import re
from collections.abc import Iterator
from typing import Any

from power_platform_rules import FACTS, operations_of

RULES: dict[str, Any] = FACTS["validator"]
Json = dict[str, Any]


def check_validator(document: Json) -> None:
    _check_metadata(document)
    paths = [path.lower() for path in document["paths"]]
    assert len(paths) == len(set(paths))
    by_name = {operation["operationId"]: operation for _, operation in operations_of(document)}
    for name, operation in by_name.items():
        assert name.isalnum()
        _check_words(operation)
        _check_responses(operation, document)
        _check_parameters(operation)
        for value in _values_in(operation["parameters"]):
            _check_dynamic_values(value, by_name, document)


def _check_metadata(document: Json) -> None:
    info = document["info"]
    shortest, longest = RULES["description_between"]
    assert shortest <= len(info["description"]) <= longest
    assert not [words for words in RULES["not_in_descriptions"] if words in info["description"].lower()]
    assert not [word for word in RULES["not_in_titles"] if re.search(rf"\b{word}\b", info["title"].lower())]
    told = {each["propertyName"]: each["propertyValue"] for each in document["x-ms-connector-metadata"]}
    assert set(told) == {"Website", "Privacy policy", "Categories"}
    categories = told["Categories"].split(";")
    assert set(categories) <= set(RULES["categories"])
    assert len(categories) <= RULES["most_categories"]


def _check_words(operation: Json) -> None:
    assert len(operation["summary"]) < RULES["summary_below"]
    assert not set(operation["summary"]) & set(RULES["not_in_summaries"])
    assert operation["description"].endswith(".")
    for types in ("consumes", "produces"):
        assert set(operation.get(types, [])) <= set(RULES["mime_types"])


def _check_responses(operation: Json, document: Json) -> None:
    responses = operation["responses"]
    assert [status for status, each in responses.items() if "schema" in each] == ["200"]
    schema = _followed(responses["200"]["schema"], document)
    assert schema.get("properties") or schema.get("format") == "binary", operation["operationId"]
    _check_schema(schema)


def _check_parameters(operation: Json) -> None:
    parameters = operation["parameters"]
    kinds = {each["in"] for each in parameters}
    assert not {"body", "formData"} <= kinds
    named = [(each["name"], each["in"]) for each in parameters]
    assert len(named) == len(set(named))
    for each in parameters:
        assert each["name"] not in RULES["reserved_parameters"]
        assert each["name"].isascii()
        assert each["in"] != "query" or "x-ms-url-encoding" not in each
        assert each["in"] != "path" or each["x-ms-url-encoding"] == "single"
        if each["in"] == "body":
            _check_schema(each["schema"])
            for name, field in each["schema"]["properties"].items():
                assert "properties" in field or {"x-ms-summary", "description"} <= set(field), name
        else:
            assert {"x-ms-summary", "description"} <= set(each), each["name"]


def _check_schema(schema: Json, *, is_outermost: bool = True) -> None:
    assert not set(schema) & set(RULES["unsupported_keywords"])
    assert is_outermost or schema.get("format") != "binary"
    assert ("items" in schema) == (schema.get("type") == "array")
    assert "required" not in schema or (schema["required"] and schema["type"] == "object")
    assert len(set(schema.get("enum", ["one"]))) == len(schema.get("enum", ["one"])) > 0
    kinds = {"string": str, "integer": int, "boolean": bool, "number": (int, float)}
    assert "default" not in schema or isinstance(schema["default"], kinds[schema["type"]])
    for inner in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        _check_schema(inner, is_outermost=False)


def _values_in(value: Any) -> Iterator[Json]:
    """Every `x-ms-dynamic-values` at any depth."""
    if isinstance(value, dict):
        if "x-ms-dynamic-values" in value:
            yield value["x-ms-dynamic-values"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _values_in(each)


def _check_dynamic_values(told: Json, by_name: dict[str, Json], document: Json) -> None:
    """The operation that lists the values answers with such a list, and has all that it needs to be called."""
    source = by_name[told["operationId"]]
    answer = _followed(source["responses"]["200"]["schema"], document)
    values = answer["properties"][told["value-collection"]]
    assert values["type"] == "array"
    assert {told["value-path"], told["value-title"]} <= set(_followed(values["items"], document)["properties"])
    names = {each["name"]: each for each in source["parameters"]}
    assert set(told.get("parameters", {})) <= set(names)
    assert {name for name, each in names.items() if each.get("required")} <= set(told.get("parameters", {}))


def _followed(schema: Json, document: Json) -> Json:
    return document["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
