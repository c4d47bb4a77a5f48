"""How items are told to a chat model, and what else a turn asks of it."""

from typing import Any

import pytest

from asked_plans import FIRST, LATER, OfferedTool, items_of, plan_of
from smalt.api.chat.request import accepted
from smalt.api.responses.messages import chat_messages, chat_request
from smalt.api.responses.plan import TurnOptions
from smalt.api.responses.reasoning import sealed
from smalt.core.errors import InvalidRequest
from smalt.tools.protocols import TOLD

HI = {"role": "user", "content": "Hi"}
LOOK = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"at": 1}'}
SEEN = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
LOOK_TOO = {**LOOK, "call_id": "call_2"}
SEEN_TOO = {**SEEN, "call_id": "call_2"}
SEARCHED = {
    "type": "file_search_call",
    "id": "fs_1",
    "status": "completed",
    "queries": ["cats"],
    "results": [{"file_id": "file-1", "filename": "a.txt", "text": "Cats purr.", "score": 0.9}],
}
FUNCTION = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}


def told(*sent: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    return chat_messages(items_of(*sent), **options)


def called(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_messages_keep_their_roles_and_instructions_come_first():
    messages = told(
        {"role": "developer", "content": "Be kind."},
        HI,
        {"role": "assistant", "content": "Yes?"},
        instructions="Rhyme.",
    )
    assert messages == [
        {"role": "system", "content": "Rhyme."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
    ]


def test_an_image_is_told_by_its_address_and_a_recording_by_its_data():
    picture = {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "low"}
    sound = {"type": "input_audio", "data": "AA==", "format": "wav"}
    (message,) = told({"role": "user", "content": [{"type": "input_text", "text": "What?"}, picture, sound]})
    assert message["content"] == [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ]


def test_what_was_read_of_a_file_is_told_in_its_place():
    (item,) = items_of({"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]})
    assert chat_messages([{**item, "_read": {"content.0": "Cats purr."}}])[0]["content"] == "Cats purr."


def test_a_refusal_stays_one():
    refusal = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert told(HI, refusal)[1] == {"role": "assistant", "content": "", "refusal": "No."}


@pytest.mark.parametrize(
    "order",
    [
        [LOOK, LOOK_TOO, SEEN, SEEN_TOO],
        [LOOK, LOOK_TOO, SEEN_TOO, SEEN],
        [LOOK, LOOK_TOO, {"role": "user", "content": "Hurry"}, SEEN, SEEN_TOO],
    ],
)
def test_results_stand_right_behind_their_calls_wherever_the_client_puts_them(order: list[dict[str, Any]]):
    messages = told(HI, *order)
    assert messages[1] == {
        "role": "assistant",
        "tool_calls": [called("call_1", "look", '{"at": 1}'), called("call_2", "look", '{"at": 1}')],
    }
    assert messages[2:4] == [
        {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
        {"role": "tool", "tool_call_id": "call_2", "content": "seen"},
    ]


def test_calls_of_one_turn_after_another_are_messages_of_their_own():
    roles = [message["role"] for message in told(HI, LOOK, SEEN, LOOK_TOO, SEEN_TOO)]
    assert roles == ["user", "assistant", "tool", "assistant", "tool"]


def test_what_the_assistant_said_before_a_call_is_in_the_message_of_the_call():
    messages = told(HI, {"role": "assistant", "content": "Let me look."}, LOOK, SEEN)
    assert messages[1]["content"] == "Let me look."
    assert messages[1]["tool_calls"] == [called("call_1", "look", '{"at": 1}')]


def test_a_call_that_was_cut_off_is_not_told():
    assert told(HI, {**LOOK, "status": "incomplete"}, {"role": "user", "content": "Again"}) == [
        {"role": "user", "content": "Hi"},
        {"role": "user", "content": "Again"},
    ]


def test_a_hosted_call_is_told_as_the_model_read_it_then():
    (item,) = items_of(SEARCHED)
    kept = {**item, TOLD: {"name": "file_search", "arguments": '{"query": "cats"}', "output": "[1] Cats purr."}}
    assert chat_messages([*items_of(HI), kept])[1:] == [
        {"role": "assistant", "tool_calls": [called("fs_1", "file_search", '{"query": "cats"}')]},
        {"role": "tool", "tool_call_id": "fs_1", "content": "[1] Cats purr."},
    ]


@pytest.mark.parametrize(
    ("item", "name", "said"),
    [
        (SEARCHED, "file_search", "a.txt:\nCats purr."),
        ({**SEARCHED, "results": None}, "file_search", "(The result was not sent along.)"),
        (
            {"type": "web_search_call", "action": {"type": "search", "query": "cats"}, "status": "completed"},
            "web_search",
            "(The result was not sent along.)",
        ),
        (
            {
                "type": "code_interpreter_call",
                "container_id": "cntr_1",
                "code": "print(1)",
                "outputs": [{"type": "logs", "logs": "1"}],
                "status": "completed",
            },
            "python",
            "1",
        ),
        (
            {"type": "image_generation_call", "result": "AA==", "status": "completed"},
            "image_generation",
            "The image was made, and the user sees it.",
        ),
        ({"type": "mcp_call", "server_label": "m", "name": "add", "arguments": "{}", "output": "3"}, "add", "3"),
        (
            {
                "type": "mcp_call",
                "server_label": "m",
                "name": "add",
                "arguments": "{}",
                "error": {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "too large"}]},
            },
            "add",
            "Error: too large",
        ),
    ],
)
def test_a_hosted_call_that_a_client_sends_back_is_told_from_what_it_shows(item: dict[str, Any], name: str, said: str):
    _, call, result = told(HI, item)
    assert call["tool_calls"][0]["function"]["name"] == name
    assert result["content"] == said


def test_a_hosted_call_that_was_not_done_is_not_told():
    assert told(HI, {**SEARCHED, "status": "in_progress"}) == [{"role": "user", "content": "Hi"}]


def test_the_screen_that_a_computer_shows_is_seen_by_the_model():
    action = {"type": "click", "button": "left", "x": 1, "y": 2}
    call = {"type": "computer_call", "call_id": "c", "action": action, "pending_safety_checks": []}
    shot = {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA=="}
    messages = told(HI, call, {"type": "computer_call_output", "call_id": "c", "output": shot})
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]
    assert messages[1]["tool_calls"][0]["function"]["name"] == "computer"
    assert messages[3]["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]


@pytest.mark.parametrize("named", [{"call_id": "s"}, {"id": "s"}, {"id": "lsh_1"}, {}])
def test_the_output_of_a_shell_finds_its_call_by_either_id_or_by_its_turn(named: dict[str, str]):
    action = {"type": "exec", "command": ["ls"], "env": {}}
    call = {"type": "local_shell_call", "id": "lsh_0", "call_id": "s", "action": action}
    if named == {"id": "lsh_1"}:
        call["id"] = "lsh_1"
    messages = chat_messages(
        [*items_of(HI, call), *items_of({"type": "local_shell_call_output", "output": "a", **named})]
    )
    assert messages[2] == {"role": "tool", "tool_call_id": "s", "content": "a"}


def test_a_call_that_the_client_did_not_approve_is_told_as_refused():
    request = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "m", "name": "drop", "arguments": "{}"}
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": False, "reason": "Too risky"}
    messages = told(HI, request, answer)
    assert messages[1]["tool_calls"] == [called("mcpr_1", "drop", "{}")]
    assert "did not allow" in messages[2]["content"]
    assert "Too risky" in messages[2]["content"]
    assert len(told(HI, request, {**answer, "approve": True})) == 1


def test_thoughts_since_the_last_question_are_told_and_older_ones_on_request():
    older = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Old."}]}
    newer = {"type": "reasoning", "summary": [], "encrypted_content": sealed("New.")}
    sent = [HI, older, {"role": "assistant", "content": "Yes?"}, HI, newer, LOOK, SEEN]
    assert [message.get("reasoning_content") for message in told(*sent)] == [None, None, None, "New.", None]
    every = told(*sent, keeps_every_thought=True)
    assert [message.get("reasoning_content") for message in every] == [None, "Old.", None, "New.", None]


def test_every_field_of_the_request_reaches_the_model_by_its_name_in_chat():
    plan = plan_of(
        temperature=0.5,
        top_p=0.9,
        user="me",
        safety_identifier="s",
        service_tier="default",
        prompt_cache_key="k",
        top_logprobs=2,
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        text={
            "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
            "verbosity": "low",
        },
        tools=[{**FUNCTION, "strict": True}],
        tool_choice="required",
        instructions="Rhyme.",
        metadata={"a": "b"},
    )
    asked = chat_request(plan, [], TurnOptions(is_first=True, offers_tools=True, max_output_tokens=20))
    function = {"name": "look", "description": "Look.", "parameters": {"type": "object"}, "strict": True}
    assert asked.model_dump(exclude_unset=True, by_alias=True) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Rhyme."}, {"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "user": "me",
        "safety_identifier": "s",
        "service_tier": "default",
        "prompt_cache_key": "k",
        "logprobs": True,
        "top_logprobs": 2,
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "verbosity": "low",
        "max_completion_tokens": 20,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
    }
    assert accepted(asked)


def test_what_was_not_asked_is_not_said():
    assert chat_request(plan_of(), [], FIRST).model_fields_set == {"model", "messages"}


@pytest.mark.parametrize("asks", [{}, {"background": True}])
def test_a_stream_is_asked_of_the_model_as_one(asks: dict[str, Any]):
    assert chat_request(plan_of(stream=True, **asks), [], FIRST).stream is True
    assert "stream" not in chat_request(plan_of(stream=False, **asks), [], FIRST).model_fields_set


def test_a_tool_must_be_called_in_the_first_turn_only():
    plan = plan_of(tools=[FUNCTION], tool_choice="required")
    assert chat_request(plan, [], LATER).tool_choice == "auto"


def test_the_last_turn_offers_no_tools_and_tells_what_was_called():
    output = items_of(LOOK, SEEN)
    asked = chat_request(
        plan_of(tools=[FUNCTION]), output, TurnOptions(is_first=False, offers_tools=False, max_output_tokens=None)
    )
    assert asked.tools is None
    assert [message.role for message in asked.messages] == ["user", "assistant", "tool"]


def test_what_no_chat_request_can_hold_is_refused_by_the_name_of_the_client():
    with pytest.raises(InvalidRequest, match="'ultrafast'") as refusal:
        chat_request(plan_of(service_tier="ultrafast"), [], FIRST)
    assert refusal.value.param == "service_tier"


def test_hosted_functions_are_offered_beside_the_clients():
    plan = plan_of(tools=[FUNCTION, {"type": "local_shell"}], hosted=[OfferedTool(["local_shell"])])
    offered = chat_request(plan, [], FIRST).model_dump(exclude_unset=True)["tools"]
    assert [tool["function"]["name"] for tool in offered] == ["look", "local_shell"]
