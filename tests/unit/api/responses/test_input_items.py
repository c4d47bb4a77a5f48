"""How the input of a request becomes items: whole, with ids, and shown as answers are."""

from itertools import count
from typing import Any

import pytest

from smalt.api.responses.input_items import content_parts, input_items
from smalt.core.errors import InvalidRequest
from smalt.schemas.responses import AzureCreateResponse
from smalt.schemas.vocabulary import check_answer

MESSAGE = {"role": "user", "content": "Hi"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
SCREENSHOT = {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA=="}
SENT = [
    MESSAGE,
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be short."}]},
    {"role": "assistant", "content": "Yes?"},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    {"role": "assistant", "content": [{"type": "output_text", "text": "Yes.", "annotations": None, "extra": 1}]},
    {"role": "user", "content": [{"type": "input_image", "image_url": "https://a.example/b.png"}]},
    {"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]},
    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
    CALL,
    {"type": "function_call_output", "call_id": "call_1", "output": "seen"},
    {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_image", "file_id": "file-1"}]},
    {"type": "file_search_call", "id": "fs_1", "queries": ["a"], "status": "completed"},
    {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "a"}, "status": "completed"},
    {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1", "code": "1", "status": "completed"},
    {"type": "image_generation_call", "id": "ig_1", "result": "AA==", "status": "completed"},
    {"type": "computer_call", "call_id": "c", "action": {"type": "screenshot"}, "pending_safety_checks": []},
    {"type": "computer_call_output", "call_id": "c", "output": SCREENSHOT},
    {"type": "local_shell_call", "call_id": "s", "action": {"type": "exec", "command": ["ls"], "env": {}}},
    {"type": "local_shell_call_output", "id": "s", "output": "a.txt"},
    {"type": "mcp_list_tools", "server_label": "m", "tools": [{"name": "t", "input_schema": {}}]},
    {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "m", "name": "t", "arguments": "{}"},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    {"type": "mcp_call", "server_label": "m", "name": "t", "arguments": "{}", "output": "done"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
    {"type": "custom_tool_call", "call_id": "k", "name": "free", "input": "text"},
    {"type": "custom_tool_call_output", "call_id": "k", "output": "done"},
]


def read(asked: Any) -> list[dict[str, Any]]:
    numbers = count(1)
    body = AzureCreateResponse.model_validate({"model": "m", "input": asked})
    sent = body.model_dump(exclude_unset=True)["input"]
    return input_items(sent, lambda prefix: f"{prefix}new{next(numbers)}")


@pytest.mark.parametrize("item", SENT, ids=lambda item: item.get("type", item.get("role")))
def test_every_item_that_a_client_may_send_can_be_shown_as_an_item_of_an_answer(item: dict[str, Any]):
    (whole,) = read([item])
    check_answer("ItemResource", whole)


def test_a_text_is_a_message_of_the_user():
    content = [{"type": "input_text", "text": "Hi"}]
    message = {"id": "msg_new1", "type": "message", "role": "user", "status": "completed", "content": content}
    assert read("Hi") == [message]
    assert read([MESSAGE]) == [message]


def test_an_item_keeps_its_id_or_gets_one_of_its_own_kind():
    ids = [item["id"] for item in read([CALL, {**CALL, "id": "fc_mine"}, MESSAGE])]
    assert ids == ["fc_new1", "fc_mine", "msg_new2"]


def test_what_the_assistant_said_is_output_also_when_it_is_sent_as_input():
    (message,) = read([{"role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]}])
    assert message["content"] == [{"type": "output_text", "text": "Yes?", "annotations": [], "logprobs": []}]


def test_nothing_that_only_the_sender_knows_is_kept():
    (item,) = read([{**CALL, "parsed_arguments": {}, "_told": {"name": "x"}}])
    assert set(item) == {"id", "type", "call_id", "name", "arguments", "status"}


def test_a_reference_stays_one_until_it_is_looked_up():
    assert read([{"type": "item_reference", "id": "msg_9"}, {"id": "msg_8"}]) == [
        {"type": "item_reference", "id": "msg_9"},
        {"type": "item_reference", "id": "msg_8"},
    ]


def test_the_parts_of_an_item_are_told_with_their_place():
    picture = {"type": "input_image", "image_url": "https://a.example/b.png", "file_id": None, "detail": "auto"}
    (message,) = read([{"role": "user", "content": [{"type": "input_text", "text": "a"}, picture]}])
    assert list(content_parts(message)) == [("content", 0, message["content"][0]), ("content", 1, picture)]
    (shot,) = read([{"type": "computer_call_output", "call_id": "c", "output": SCREENSHOT}])
    assert list(content_parts(shot)) == [("output", 0, {**SCREENSHOT, "file_id": None})]
    assert list(content_parts(read([CALL])[0])) == []


@pytest.mark.parametrize(
    ("items", "param"),
    [
        ([{"role": "system", "content": [{"type": "input_image", "file_id": "f"}]}], "input[0].content[0].type"),
        ([MESSAGE, {"role": "user", "content": [{"type": "input_file"}]}], "input[1].content[0]"),
        (
            [{"role": "user", "content": [{"type": "input_file", "file_id": "f", "file_url": "u"}]}],
            "input[0].content[0]",
        ),
        (
            [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]}],
            "input[0].output[0]",
        ),
        ([{**CALL, "id": "fc_1"}, {**CALL, "id": "fc_1"}], "input[1].id"),
        ([CALL, {**CALL, "id": "f" * 65}], "input[1].id"),
    ],
)
def test_what_an_item_may_not_be_is_refused_by_its_place(items: list[dict[str, Any]], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        read(items)
    assert refusal.value.param == param


def test_what_may_be_null_is_there_when_a_client_leaves_it_out():
    shot, answer = read(
        [
            {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "file_id": "f"}},
            {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
        ]
    )
    assert shot["output"] == {"type": "computer_screenshot", "file_id": "f", "image_url": None}
    assert answer["reason"] is None
