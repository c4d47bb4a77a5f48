"""What a request must be, beyond the types of its fields."""

from typing import Any

import pytest

from asked_plans import items_of
from smalt.api.responses.checks import check_items, check_request
from smalt.core.errors import InvalidRequest

HI = {"role": "user", "content": "Hi"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
SHELL = {"type": "local_shell_call", "call_id": "s", "action": {"type": "exec", "command": ["ls"], "env": {}}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": "Hi", "previous_response_id": "resp_1", "conversation": "conv_1"}, "conversation"),
        ({"input": "Hi", "store": False, "background": True}, "background"),
        ({"input": "Hi", "store": False, "conversation": "conv_1"}, "conversation"),
        ({"input": "Hi", "context_management": [{"type": "compaction"}]}, "context_management"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        check_request(fields)
    assert refusal.value.param == param


@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "prompt"])
def test_input_may_be_left_out_when_something_else_brings_it(field: str):
    check_request({field: "x"})


def test_a_call_needs_its_result_and_a_result_its_call():
    check_items(items_of(HI, CALL), items_of({**RESULT, "id": "fco_9"}))
    check_items([], items_of(HI, CALL, RESULT))
    with pytest.raises(InvalidRequest, match="No tool output found for function call call_1"):
        check_items(items_of(HI, CALL), items_of({**HI, "id": "msg_9"}))
    with pytest.raises(InvalidRequest, match="No tool call found for function call output with call_id call_1"):
        check_items(items_of(HI), items_of(RESULT))


def test_a_call_that_was_cut_off_needs_no_result():
    check_items(items_of(HI, {**CALL, "status": "incomplete"}), items_of({**HI, "id": "msg_9"}))


@pytest.mark.parametrize("named", [{"call_id": "s"}, {"id": "lsh_1"}, {}])
def test_a_shell_may_answer_by_either_id_or_by_its_turn(named: dict[str, str]):
    check_items(
        items_of({**SHELL, "id": "lsh_1"}), items_of({"type": "local_shell_call_output", "output": "a", **named})
    )


def test_an_item_that_is_there_already_is_refused():
    with pytest.raises(InvalidRequest) as refusal:
        check_items(items_of({**HI, "id": "msg_9"}), items_of({**HI, "id": "msg_9"}))
    assert refusal.value.param == "input[0].id"


def test_there_must_be_something_to_answer():
    with pytest.raises(InvalidRequest) as refusal:
        check_items([], [])
    assert (refusal.value.param, refusal.value.code) == ("input", "empty_array")
