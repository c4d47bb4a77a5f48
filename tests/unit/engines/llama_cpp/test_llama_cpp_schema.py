"""Which schemas can be held, and which part of one cannot."""

import json

import pytest

from smalt.engines.llama_cpp.schema import closed, json_rule, spelled, subschemas, unheld_keyword


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "object", "properties": {"a": {"not": {}}}}, "properties.a.not"),
        ({"anyOf": [{"type": "string"}, {"if": {}}]}, "anyOf[1].if"),
        ({"type": "array", "items": {"type": "array", "uniqueItems": True}}, "items.uniqueItems"),
        ({"$defs": {"x": {"contains": {}}}, "$ref": "#/$defs/x"}, "$defs.x.contains"),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}}, "properties.a.$ref"),
        ({"$ref": "https://example.com/schema.json"}, "$ref"),
    ],
)
def test_the_part_that_cannot_be_held_is_named(schema, path):
    assert spelled(unheld_keyword(schema)) == path


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"not": {"type": "string"}, "if": {"const": {"not": 1}}}},
        {"type": "array", "uniqueItems": False},
        {"enum": [{"contains": 1}], "default": {"not": 1}},
        {"$defs": {"a/b": {"type": "string"}}, "$ref": "#/$defs/a~1b"},
        {"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}, "properties": {"n": {"$ref": "#"}}},
        {"prefixItems": [{"type": "string"}], "items": {"$ref": "#/prefixItems/0"}},
    ],
)
def test_names_and_values_are_not_taken_for_keywords(schema):
    assert unheld_keyword(schema) is None


def rule(schema, **options):
    return json.loads(json_rule(schema, **options).removeprefix("%json "))


def test_a_format_that_nobody_enforces_is_a_note():
    schema = {"properties": {"a": {"type": "string", "format": "decimal"}, "b": {"type": "string", "format": "date"}}}
    assert rule(schema)["properties"] == {"a": {"type": "string"}, "b": {"type": "string", "format": "date"}}


def test_a_property_may_be_called_like_a_keyword():
    schema = {"properties": {"format": {"type": "string"}, "pattern": {"type": "string", "pattern": "a(?=b)"}}}
    assert rule(schema, lenient=True)["properties"] == {"format": {"type": "string"}, "pattern": {"type": "string"}}
    assert rule(schema)["properties"]["pattern"] == {"type": "string", "pattern": "a(?=b)"}


def test_the_callers_schema_is_left_as_it_was():
    schema = {"properties": {"a": {"format": "decimal"}}}
    rule(schema)
    assert schema == {"properties": {"a": {"format": "decimal"}}}


def test_the_innermost_part_comes_first():
    schema = {"properties": {"a": {"items": {"type": "string"}}}}
    assert [spelled(path) for path, _ in subschemas(schema)] == ["properties.a.items", "properties.a", ""]


CLOSED = {"additionalProperties": False}
NAMED = {"properties": {"a": {"type": "string"}}}
OTHER = {"properties": {"b": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (NAMED, NAMED | CLOSED),
        (
            {"properties": {"x": NAMED}, "additionalProperties": NAMED},
            {
                "properties": {"x": NAMED | CLOSED},
                "additionalProperties": NAMED | CLOSED,
            },
        ),
        ({"items": NAMED, "prefixItems": [NAMED]}, {"items": NAMED | CLOSED, "prefixItems": [NAMED | CLOSED]}),
        ({"anyOf": [NAMED, {"type": "null"}]}, {"anyOf": [NAMED | CLOSED, {"type": "null"}]}),
        ({"$defs": {"x": NAMED}, "$ref": "#/$defs/x"}, {"$defs": {"x": NAMED | CLOSED}, "$ref": "#/$defs/x"}),
    ],
)
def test_an_object_is_closed_that_does_not_speak_of_other_properties(schema, expected):
    assert closed(schema) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"properties": {}},
        NAMED | {"additionalProperties": True},
        NAMED | {"patternProperties": {"^x": {}}},
        NAMED | {"required": ["b"]},
        NAMED | {"minProperties": 2},
        NAMED | {"anyOf": [OTHER, {"required": ["a"]}]},
        NAMED | {"$defs": {"x": OTHER}, "$ref": "#/$defs/x"},
        {"allOf": [NAMED, OTHER]},
        {"oneOf": [NAMED, OTHER]},
        {"enum": [NAMED], "default": NAMED},
    ],
)
def test_an_object_stays_open_that_may_have_other_properties(schema):
    assert closed(schema) == schema
