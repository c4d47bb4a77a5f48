"""What a chat request must be, whichever engine answers it; and how engines get it."""

from typing import Any

import pytest

from smalt.api.chat.request import accepted
from smalt.core.errors import InvalidRequest
from smalt.schemas.chat import AzureCreateChatCompletionRequest

HI = {"role": "user", "content": "Hi"}
LOOK = {"name": "look", "parameters": {"type": "object", "properties": {}}}
TOOL = {"type": "function", "function": LOOK}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLED = {"role": "assistant", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "seen"}


def asked(*messages: dict[str, Any], **fields: Any) -> AzureCreateChatCompletionRequest:
    body = {"model": "m", "messages": list(messages) or [HI], **fields}
    return accepted(AzureCreateChatCompletionRequest.model_validate(body))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens"),
        ({"functions": [LOOK], "tools": [TOOL]}, "functions"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"functions": [LOOK], "function_call": {"name": "other"}}, "function_call"),
        ({"tools": [TOOL, {"type": "custom", "custom": {"name": "free"}}]}, "tools[1].type"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "free"}}}, "tool_choice.type"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        asked(**fields)
    assert refusal.value.param == param


def test_a_request_without_anything_old_reaches_the_engine_as_it_is():
    body = AzureCreateChatCompletionRequest.model_validate({"model": "m", "messages": [HI], "unknown": 1})
    assert accepted(body) is body


def test_metadata_is_allowed_with_store_and_choices_without_force_need_no_tools():
    assert asked(metadata={"a": "b"}, store=True, tool_choice="auto").store


def test_results_follow_their_calls():
    asked(HI, CALLED, RESULT)
    with pytest.raises(InvalidRequest, match="must be a response to a preceding"):
        asked(HI, RESULT)
    with pytest.raises(InvalidRequest, match=r"must be followed by tool messages.*call_1"):
        asked(HI, CALLED, HI)
    with pytest.raises(InvalidRequest, match="must be followed by tool messages"):
        asked(HI, CALLED)


def test_functions_reach_the_engine_as_tools():
    body = asked(functions=[LOOK], function_call={"name": "look"})
    assert body.model_dump(exclude_unset=True) == {
        "model": "m",
        "messages": [HI],
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
    }
    assert asked(functions=[LOOK], function_call="none").tool_choice == "none"


def test_function_messages_reach_the_engine_as_calls_and_results():
    called = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    told = {"role": "function", "name": "look", "content": "seen"}
    messages = asked(HI, called, told, told).model_dump(exclude_unset=True)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "tool"]
    for call, result in ((messages[1], messages[2]), (messages[3], messages[4])):
        assert call["tool_calls"][0]["id"] == result["tool_call_id"]
        assert call["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
        assert result["content"] == "seen"


def test_allowed_tools_are_the_only_tools_that_the_engine_sees():
    other = {"type": "function", "function": {"name": "other"}}
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "look"}}]}
    body = asked(tools=[TOOL, other], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    sent = body.model_dump(exclude_unset=True)
    assert (sent["tools"], sent["tool_choice"]) == ([TOOL], "required")
