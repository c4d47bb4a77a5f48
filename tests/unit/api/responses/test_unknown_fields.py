"""Fields that nobody honours are refused by their names, wherever they stand."""

from typing import Any

import pytest

from smalt.api.responses.unknown_fields import check_fields
from smalt.core.errors import InvalidRequest
from smalt.schemas.responses import AzureCreateResponse

LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "odd": 1}}
MCP = {"type": "mcp", "server_label": "m", "server_url": "https://a.example/mcp"}
FILES = {"type": "file_search", "vector_store_ids": ["vs_1"]}


def check(**fields: Any) -> None:
    check_fields(AzureCreateResponse.model_validate({"model": "m", "input": "Hi", **fields}))


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"odd": 1}, "odd", "unknown_parameter"),
        ({"odd": False}, "odd", "unknown_parameter"),
        ({"max_tokens": 5}, "max_tokens", "unknown_parameter"),
        ({"seed": 1}, "seed", "unknown_parameter"),
        ({"reasoning": {"odd": 1}}, "reasoning.odd", "unknown_parameter"),
        ({"text": {"format": {"type": "text", "odd": 1}}}, "text.format.odd", "unknown_parameter"),
        ({"stream": True, "stream_options": {"odd": 1}}, "stream_options.odd", "unknown_parameter"),
        ({"prompt": {"id": "p", "odd": 1}}, "prompt.odd", "unknown_parameter"),
        ({"tool_choice": {"type": "file_search", "odd": 1}}, "tool_choice.odd", "unknown_parameter"),
        ({"tools": [LOOK, {**LOOK, "odd": 1}]}, "tools[1].odd", "unknown_parameter"),
        ({"tools": [{**LOOK, "connector_id": "c"}]}, "tools[0].connector_id", "unknown_parameter"),
        ({"tools": [{**LOOK, "defer_loading": True}]}, "tools[0].defer_loading", "unsupported_parameter"),
        (
            {"tools": [{**LOOK, "allowed_callers": ["programmatic"]}]},
            "tools[0].allowed_callers",
            "unsupported_parameter",
        ),
        ({"tools": [{**LOOK, "output_schema": {}}]}, "tools[0].output_schema", "unsupported_parameter"),
        (
            {"tools": [{**MCP, "require_approval": {"often": {}}}]},
            "tools[0].require_approval.often",
            "unknown_parameter",
        ),
        (
            {"tools": [{**FILES, "filters": {"type": "eq", "key": "a", "value": 1, "odd": 1}}]},
            "tools[0].filters.odd",
            "unknown_parameter",
        ),
    ],
)
def test_a_field_that_nobody_honours_is_refused(fields: dict[str, Any], param: str, code: str):
    with pytest.raises(InvalidRequest) as refusal:
        check(**fields)
    assert (refusal.value.param, refusal.value.code) == (param, code)


@pytest.mark.parametrize(
    "fields",
    [
        {"odd": None},
        {"metadata": {"odd": "1"}},
        {"input": [{"role": "user", "name": "me", "content": "Hi"}]},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object", "odd": 1}}}},
        {"tools": [LOOK, {**LOOK, "name": "hear", "defer_loading": False, "allowed_callers": ["direct"]}]},
        {"tools": [{**MCP, "headers": {"odd": "1"}}]},
    ],
)
def test_what_says_nothing_or_may_have_any_field_is_taken(fields: dict[str, Any]):
    check(**fields)


def test_what_a_server_s_tool_does_not_serve_is_left_to_that_tool():
    check(tools=[{**MCP, "connector_id": "c", "tunnel_id": "t", "defer_loading": True}])
