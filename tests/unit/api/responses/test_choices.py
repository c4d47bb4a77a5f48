"""Which tools a turn offers, and which must be called."""

from typing import Any

import pytest

from asked_plans import FIRST, LATER, OfferedTool, plan_of
from smalt.api.responses.choices import check_choice
from smalt.api.responses.messages import chat_request
from smalt.core.errors import InvalidRequest

LOOK = {"type": "function", "name": "look", "parameters": {}}
HEAR = {"type": "function", "name": "hear", "parameters": {}}
FILES = {"type": "file_search", "vector_store_ids": ["vs_1"]}
WEB = {"type": "web_search"}
MCP = {"type": "mcp", "server_label": "m", "server_url": "http://localhost:1"}
TOOLS = [LOOK, FILES, HEAR, WEB, MCP]
EVERYTHING = ["look", "hear", "file_search", "web_search", "add", "drop"]


def hosted() -> list[OfferedTool]:
    return [OfferedTool(["file_search"]), OfferedTool(["web_search"]), OfferedTool(["add", "drop"], "m")]


def offered(choice: Any, turn: Any = FIRST) -> tuple[list[str], Any]:
    plan = plan_of(tools=TOOLS, tool_choice=choice, hosted=hosted())
    asked = chat_request(plan, [], turn).model_dump(exclude_unset=True)
    return [tool["function"]["name"] for tool in asked["tools"]], asked["tool_choice"]


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    ("choice", "names", "mode"),
    [
        ("auto", EVERYTHING, "auto"),
        ("none", EVERYTHING, "none"),
        ("required", EVERYTHING, "required"),
        ({"type": "function", "name": "hear"}, ["hear"], named("hear")),
        ({"type": "file_search"}, ["file_search"], named("file_search")),
        ({"type": "web_search_preview"}, ["web_search"], named("web_search")),
        ({"type": "mcp", "server_label": "m"}, ["add", "drop"], "required"),
        ({"type": "mcp", "server_label": "m", "name": "drop"}, ["drop"], named("drop")),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "look"}, {"type": "mcp", "server_label": "m"}],
            },
            ["look", "add", "drop"],
            "auto",
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "file_search"}]},
            ["file_search"],
            named("file_search"),
        ),
    ],
)
def test_each_form_of_choice_offers_what_it_names(choice: Any, names: list[str], mode: Any):
    assert offered(choice) == (names, mode)


@pytest.mark.parametrize(
    ("choice", "names", "mode"),
    [
        ("required", EVERYTHING, "auto"),
        ("none", EVERYTHING, "none"),
        ({"type": "file_search"}, EVERYTHING, "auto"),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "file_search"}]}, ["file_search"], "auto"),
    ],
)
def test_after_the_first_turn_nothing_must_be_called_and_the_allowed_stay_the_only_ones(
    choice: Any, names: list[str], mode: Any
):
    assert offered(choice, LATER) == (names, mode)


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "name": "smell"},
        {"type": "code_interpreter"},
        {"type": "mcp", "server_label": "other"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "smell"}]},
    ],
)
def test_a_choice_of_what_is_not_offered_is_refused(choice: dict[str, Any]):
    with pytest.raises(InvalidRequest, match="not found in 'tools'") as refusal:
        check_choice(choice, TOOLS)
    assert refusal.value.param == "tool_choice"


def test_nothing_can_be_required_without_tools():
    check_choice("auto", [])
    check_choice("none", [])
    with pytest.raises(InvalidRequest, match="only allowed when 'tools'"):
        check_choice("required", [])


def test_a_custom_tool_cannot_be_chosen():
    with pytest.raises(InvalidRequest) as refusal:
        check_choice({"type": "custom", "name": "free"}, TOOLS)
    assert refusal.value.param == "tool_choice.type"


def test_a_tool_that_offers_nothing_is_left_out():
    plan = plan_of(tools=[MCP], tool_choice="auto", hosted=[OfferedTool([], "m")])
    assert chat_request(plan, [], FIRST).tools is None


@pytest.mark.parametrize(
    "choice",
    [
        "required",
        {"type": "mcp", "server_label": "m"},
        {"type": "mcp", "server_label": "m", "name": "fly"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "mcp", "server_label": "m", "name": "fly"}]},
    ],
)
def test_a_call_that_must_be_made_and_cannot_is_refused(choice: Any):
    plan = plan_of(tools=[MCP], tool_choice=choice, hosted=[OfferedTool([], "m")])
    with pytest.raises(InvalidRequest) as refusal:
        chat_request(plan, [], FIRST)
    assert refusal.value.param == "tool_choice"
    assert chat_request(plan, [], LATER).tools is None
