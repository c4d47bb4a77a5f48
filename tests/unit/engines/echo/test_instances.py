"""The smallest instance of a schema fits the schema."""

from typing import Any

import jsonschema_rs
import pytest

from smalt.core.errors import UnsupportedValue
from smalt.engines.echo.instances import smallest

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "value": {"type": "integer"},
            },
            "required": ["left", "value"],
        }
    },
    "$ref": "#/$defs/node",
}
ENDLESS = {
    "$defs": {"a": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]}},
    "$ref": "#/$defs/a",
}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "string", "minLength": 5},
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "uuid"},
        {"type": "string", "pattern": "^[A-Z]{2}$"},
        {"type": "string", "pattern": r"^\d{3}$"},
        {"type": "integer", "minimum": 3},
        {"type": "integer", "exclusiveMinimum": 3, "multipleOf": 5},
        {"type": "integer", "maximum": -2},
        {"type": "integer", "exclusiveMaximum": -2},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "number", "minimum": 0.5, "maximum": 0.75, "multipleOf": 0.25},
        {"type": ["string", "null"]},
        {"type": ["object", "string"]},
        {"type": "boolean"},
        {"type": "null"},
        {"enum": ["b", "a"]},
        {"const": {"a": [1]}},
        {"type": "array", "items": {"type": "integer"}, "minItems": 2},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2},
        {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]},
        {"properties": {"a": {"enum": [1]}}, "required": ["a"]},
        {
            "allOf": [
                {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"required": ["b"], "properties": {"b": {"const": 1}}},
            ]
        },
        {"anyOf": [{"type": "string", "pattern": "^unmatchable$"}, {"type": "integer"}]},
        TREE,
    ],
)
def test_it_fits(schema: dict[str, Any]):
    jsonschema_rs.validate(schema, smallest(schema, param="p"))


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (ENDLESS, "without an end"),
        ({"type": "string", "pattern": "^xyz-[0-9]+$"}, "knows no text of the pattern"),
        ({"$ref": "#/$defs/nothing"}, "refers to nothing"),
        ({"anyOf": []}, "empty anyOf"),
    ],
)
def test_what_it_cannot_meet_is_refused_with_the_reason(schema: dict[str, Any], reason: str):
    with pytest.raises(UnsupportedValue, match=reason) as refusal:
        smallest(schema, param="tools.look.parameters")
    assert refusal.value.param == "tools.look.parameters"
