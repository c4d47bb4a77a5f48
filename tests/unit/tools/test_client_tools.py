"""Calls that the client acts on: whatever a model writes, the item is one that a client can act on."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smalt.engines.llama_cpp.schema import json_rule, unheld_keyword
from smalt.schemas.vocabulary import check_answer
from smalt.tools.client_tools import ClientTool, shell_action
from smalt.tools.computer import computer_action
from tool_runs import Called, call

Json = dict[str, Any]
COMPUTER = {"type": "computer_use_preview", "display_width": 800, "display_height": 600, "environment": "linux"}
SHELL = {"type": "local_shell"}


async def computer(arguments: Any) -> Called:
    return await call(ClientTool(COMPUTER), arguments, schema="ComputerToolCallItemResource")


async def test_a_click_is_an_item_that_ends_the_run():
    called = await computer({"action": {"type": "click", "button": "right", "x": 10, "y": 20}})
    assert called.item["action"] == {"type": "click", "button": "right", "x": 10, "y": 20}
    assert called.types == ["output_item.added", "output_item.done"]
    assert (called.item["status"], called.item["pending_safety_checks"]) == ("completed", [])
    assert called.item["call_id"].startswith("call_")
    assert called.outcome.ends_run


@pytest.mark.parametrize(
    ("written", "action"),
    [
        ({"type": "click", "x": 5000, "y": -3}, {"type": "click", "button": "left", "x": 799, "y": 0}),
        ({"type": "move", "x": 1.6, "y": 2}, {"type": "move", "x": 2, "y": 2}),
        ({"type": "double_click", "x": 1, "y": 2}, {"type": "double_click", "x": 1, "y": 2}),
        (
            {"type": "scroll", "x": 1, "y": 2, "scroll_y": 9},
            {"type": "scroll", "x": 1, "y": 2, "scroll_x": 0, "scroll_y": 9},
        ),
        ({"type": "type", "text": "hi"}, {"type": "type", "text": "hi"}),
        ({"type": "keypress", "keys": ["ctrl", "c"]}, {"type": "keypress", "keys": ["ctrl", "c"]}),
        ({"type": "wait"}, {"type": "wait"}),
        (
            {"type": "drag", "path": [{"x": 1, "y": 1}, {"x": 900, "y": 1}]},
            {"type": "drag", "path": [{"x": 1, "y": 1}, {"x": 799, "y": 1}]},
        ),
    ],
)
async def test_an_action_is_put_on_the_screen(written: Json, action: Json):
    assert (await computer({"action": written})).item["action"] == action
    assert computer_action(written, COMPUTER) == action


UNCLEAR: list[Any] = [
    *["", "{", "[]", {}, {"action": "click"}],
    *[{"action": {"type": "fly"}}, {"action": {"type": "type"}}, {"action": {"type": "click"}}],
    *[{"action": {"type": "click", "x": "a", "y": 1}}, {"action": {"type": "move", "x": 1e300, "y": True}}],
    *[{"action": {"type": "keypress", "keys": []}}, {"action": {"type": "drag", "path": [{"x": 1, "y": 1}]}}],
]


@pytest.mark.parametrize("written", UNCLEAR)
async def test_what_cannot_be_done_becomes_a_look_at_the_screen(written: Any):
    assert (await computer(written)).item["action"] == {"type": "screenshot"}


ODD: list[Any] = [
    None,
    True,
    0,
    -7,
    3.5,
    1e300,
    "",
    "left",
    "5",
    [],
    ["a", 5],
    [None],
    {},
    {"x": 1},
    [{"x": 1, "y": 2}] * 2,
]
FIELDS = ["type", "x", "y", "button", "text", "keys", "path", "scroll_x", "command", "working_directory", "timeout_ms"]
KINDS = st.sampled_from(["click", "scroll", "drag", "type", "keypress", "move", "wait", "double_click"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(ODD)), KINDS)
def test_every_action_fits_the_reference(written: Json, kind: str):
    check_answer("ComputerAction", computer_action({"action": {**written, "type": kind}}, COMPUTER))
    check_answer("LocalShellExecAction", shell_action(written))


async def test_a_command_is_an_item_that_ends_the_run():
    written = {"command": ["ls", "-l"], "working_directory": "/tmp", "timeout_ms": 500}
    called = await call(ClientTool(SHELL), written, schema="LocalShellToolCallItemResource")
    assert called.item["action"] == {"type": "exec", "env": {}, **written}
    assert called.outcome.ends_run


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ({"command": "ls | wc"}, ["bash", "-lc", "ls | wc"]),
        ({"command": ["sleep", 5]}, ["sleep", "5"]),
        ({"command": []}, ["true"]),
        ("", ["true"]),
    ],
)
async def test_a_command_in_another_form_is_one_too(arguments: Any, command: list[str]):
    called = await call(ClientTool(SHELL), arguments, schema="LocalShellToolCallItemResource")
    assert called.item["action"] == {"type": "exec", "env": {}, "command": command}


async def test_the_functions_fit_a_grammar_and_tell_the_screen():
    for tool in (COMPUTER, SHELL, {"type": "computer"}):
        (function,) = ClientTool(tool).functions()
        assert unheld_keyword(function.parameters) is None
        assert json_rule(function.parameters)
    (function,) = ClientTool(COMPUTER).functions()
    assert "800 pixels wide and 600 high" in function.description
    assert "linux" in function.description
