"""What is left out of a conversation that does not fit into the model's context."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smalt.api.chat.request import accepted
from smalt.api.responses.truncation import truncated
from smalt.core.errors import ContextLengthExceeded, InvalidRequest
from smalt.schemas.chat import AzureCreateChatCompletionRequest

SYSTEM = {"role": "system", "content": "Rhyme."}
QUESTION = {"role": "user", "content": "And now?"}
TOO_LONG = ContextLengthExceeded("It is too long.")


def asked(*messages: dict[str, Any]) -> AzureCreateChatCompletionRequest:
    return AzureCreateChatCompletionRequest.model_validate({"model": "m", "messages": list(messages)})


def said(role: str, text: str = "x" * 100) -> dict[str, Any]:
    return {"role": role, "content": text}


def exchange(call_id: str) -> list[dict[str, Any]]:
    call = {"id": call_id, "type": "function", "function": {"name": "look", "arguments": "{}"}}
    return [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": call_id, "content": "x" * 90}]


def left(request: AzureCreateChatCompletionRequest | None) -> list[dict[str, Any]] | None:
    return None if request is None else [one.model_dump(exclude_unset=True) for one in request.messages]


def test_the_oldest_messages_go_first_and_what_the_system_says_stays():
    request = asked(SYSTEM, said("user"), said("assistant"), said("developer"), said("user", "Hi"), QUESTION)
    assert left(truncated(request, TOO_LONG)) == [
        SYSTEM,
        said("assistant"),
        said("developer"),
        said("user", "Hi"),
        QUESTION,
    ]


def test_a_call_goes_with_its_results():
    request = asked(SYSTEM, *exchange("call_1"), said("assistant"), QUESTION)
    assert left(truncated(request, TOO_LONG)) == [SYSTEM, said("assistant"), QUESTION]


def test_the_last_question_and_what_came_last_stay():
    request = asked(SYSTEM, QUESTION, *exchange("call_1"), *exchange("call_2"))
    shorter = truncated(request, TOO_LONG)
    assert left(shorter) == [SYSTEM, QUESTION, *exchange("call_2")]
    assert shorter
    assert truncated(shorter, TOO_LONG) is None


def test_as_much_is_dropped_as_the_error_tells():
    messages = [said("user") for _ in range(50)]
    error = ContextLengthExceeded(
        "This model's maximum context length is 1000 tokens. However, your messages resulted in 2000 tokens."
    )
    shorter = truncated(asked(*messages, QUESTION), error)
    assert shorter
    assert 18 <= len(shorter.messages) <= 24


def test_an_error_of_a_remote_service_is_known_by_its_code_and_others_change_nothing():
    request = asked(said("user"), said("assistant"), QUESTION)
    assert truncated(request, InvalidRequest("Too long.", code="context_length_exceeded"))
    assert truncated(request, InvalidRequest("Wrong.", code="invalid_value")) is None


BEFORE = st.lists(
    st.sampled_from(["user", "assistant", "system", "exchange"]).map(
        lambda kind: exchange("call_0") if kind == "exchange" else [said(kind)]
    ),
    max_size=12,
)


@given(before=BEFORE, after=st.integers(0, 3))
def test_every_shortening_is_a_request_that_can_be_made_and_there_is_a_last_one(
    before: list[list[dict[str, Any]]], after: int
):
    messages = [message for group in before for message in group]
    messages += [QUESTION, *(message for number in range(after) for message in exchange(f"call_{number}"))]
    request = asked(*messages)
    for _ in range(len(messages) + 1):
        shorter = truncated(request, TOO_LONG)
        if shorter is None:
            break
        assert len(shorter.messages) < len(request.messages)
        assert accepted(shorter)
        kept = json.dumps(left(shorter))
        assert kept.count('"And now?"') == 1
        assert kept.count('"system"') == json.dumps(messages).count('"system"')
        request = shorter
    else:
        raise AssertionError("it never ends")
