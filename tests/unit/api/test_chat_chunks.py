"""What a chat completion's chunks look like, by mount and by request."""

from typing import Any

import pytest

from smalt.api.chat.chunks import ChunkStamper, ChunkStyle
from smalt.api.chat.folding import ChatFold
from smalt.core.errors import EngineFailed
from smalt.engines.protocols import ChatDelta, ChatEvent, Serving, TokenLogprob, ToolCallDelta, TopLogprob, Usage
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.vocabulary import check_answer

STOP = ChatDelta(finish_reason="stop")
HI = TokenLogprob("Hi", -0.1, (72, 105), (TopLogprob("Ho", -2.0, (72, 111)),))


def stamped(*events: ChatEvent, **style: Any) -> list[dict[str, Any]]:
    stamper = ChunkStamper(ChunkStyle(model="m", **style))
    chunks = [chunk for event in events for chunk in stamper.stamp(event)] + stamper.finish()
    for chunk in chunks:
        check_answer("AzureCreateChatCompletionStreamResponse", chunk)
    return chunks


def folded(*events: ChatEvent, **style: Any) -> dict[str, Any]:
    fold = ChatFold()
    for chunk in stamped(*events, has_usage=True, **style):
        fold.add(chunk)
    answer = fold.answer()
    check_answer("AzureCreateChatCompletionResponse", answer)
    return answer


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def style(*, is_azure: bool, **fields: Any) -> ChunkStyle:
    messages = [{"role": "user", "content": "Hi"}]
    body = AzureCreateChatCompletionRequest.model_validate({"model": "m", "messages": messages, **fields})
    return ChunkStyle.of(body, model="m", is_azure=is_azure)


def test_the_role_comes_first_and_once_and_the_finish_reason_last_and_alone():
    assert deltas(stamped(ChatDelta(content="Hi"), ChatDelta(content="!", finish_reason="stop"))) == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hi"},
        {"content": "!"},
        {},
    ]


def test_every_chunk_of_a_stream_has_the_same_id_and_what_really_answered():
    chunks = stamped(Serving("real", "fp_1"), ChatDelta(content="Hi"), STOP)
    assert {(chunk["id"], chunk["model"], chunk["system_fingerprint"]) for chunk in chunks} == {
        (chunks[0]["id"], "real", "fp_1")
    }
    assert chunks[0]["id"].startswith("chatcmpl-")


def test_choices_may_come_in_turns_and_each_begins_with_its_role():
    chunks = stamped(ChatDelta(0, "a"), ChatDelta(1, "b"), ChatDelta(1, finish_reason="length"), STOP)
    places = [chunk["choices"][0]["index"] for chunk in chunks]
    assert places == [0, 0, 1, 1, 1, 0]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-2:] == ["length", "stop"]


def test_choices_begin_in_order_because_the_sdk_counts_on_it():
    chunks = stamped(
        ChatDelta(2, "c"), ChatDelta(0, "a"), *(ChatDelta(place, finish_reason="stop") for place in range(3))
    )
    assert [chunk["choices"][0]["index"] for chunk in chunks] == [0, 1, 2, 2, 0, 0, 1, 2]


def test_azure_has_neither_service_tier_nor_obfuscation_and_openai_has_both():
    azure = style(is_azure=True, stream=True)
    openai = style(is_azure=False, stream=True)
    assert (azure.has_service_tier, azure.has_obfuscation) == (False, False)
    assert (openai.has_service_tier, openai.has_obfuscation) == (True, True)
    assert not style(is_azure=False, stream=True, stream_options={"include_obfuscation": False}).has_obfuscation
    chunk = stamped(STOP, has_service_tier=True, has_obfuscation=True)[0]
    assert chunk["service_tier"] == "default"
    assert len(chunk["obfuscation"]) < 16


def test_usage_is_null_on_every_chunk_but_the_last_when_it_is_asked_for_and_nowhere_when_it_is_not():
    usage = Usage(5, 2, cached_tokens=3, reasoning_tokens=1)
    chunks = stamped(ChatDelta(content="Hi"), STOP, usage, has_usage=True)
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 3
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 1,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    assert not any("usage" in chunk for chunk in stamped(ChatDelta(content="Hi"), STOP, usage))


def test_a_whole_answer_has_its_usage_unasked():
    assert style(is_azure=True).has_usage
    assert not style(is_azure=True, stream=True).has_usage
    assert style(is_azure=True, stream=True, stream_options={"include_usage": True}).has_usage


def test_the_role_is_merged_with_a_single_tool_call():
    call = ToolCallDelta(0, id="call_1", name="look")
    chunks = stamped(
        ChatDelta(tool_calls=(call,)),
        ChatDelta(tool_calls=(ToolCallDelta(0, '{"a"'),)),
        ChatDelta(tool_calls=(ToolCallDelta(0, ":1}"),)),
        ChatDelta(finish_reason="tool_calls"),
    )
    begun = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}
    assert deltas(chunks) == [
        {"role": "assistant", "content": None, "tool_calls": [begun], "refusal": None},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {},
    ]


def test_several_calls_at_once_have_a_role_chunk_of_their_own_without_content():
    calls = (ToolCallDelta(0, "{}", id="call_1", name="a"), ToolCallDelta(1, "{}", id="call_2", name="b"))
    chunks = stamped(ChatDelta(tool_calls=calls), ChatDelta(finish_reason="tool_calls"))
    assert deltas(chunks)[0] == {"role": "assistant", "content": None, "refusal": None}
    assert [call["id"] for call in deltas(chunks)[1]["tool_calls"]] == ["call_1", "call_2"]


def test_a_call_without_an_id_gets_one_and_a_repeated_name_is_left_out():
    piece = ToolCallDelta(0, "{", name="look")
    message = folded(ChatDelta(tool_calls=(piece,)), ChatDelta(tool_calls=(ToolCallDelta(0, "}", name="look"),)), STOP)
    call = message["choices"][0]["message"]["tool_calls"][0]
    assert call["id"].startswith("call_")
    assert call["function"] == {"name": "look", "arguments": "{}"}


def test_a_call_without_a_name_is_the_engines_failure():
    with pytest.raises(EngineFailed, match="without the name"):
        stamped(ChatDelta(tool_calls=(ToolCallDelta(0, "{}"),)), STOP)


def test_the_older_way_writes_a_function_call_and_its_finish_reason():
    call = ToolCallDelta(0, "{", id="call_1", name="look")
    events = (
        ChatDelta(tool_calls=(call,)),
        ChatDelta(tool_calls=(ToolCallDelta(0, "}"),)),
        ChatDelta(finish_reason="tool_calls"),
    )
    assert deltas(stamped(*events, calls_functions=True)) == [
        {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{"}, "refusal": None},
        {"function_call": {"arguments": "}"}},
        {},
    ]
    choice = folded(*events, calls_functions=True)["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "look", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]


def test_log_probabilities_begin_empty_and_end_null():
    chunks = stamped(ChatDelta(content="Hi", logprobs=(HI,)), STOP, has_logprobs=True)
    entry = {
        "token": "Hi",
        "logprob": -0.1,
        "bytes": [72, 105],
        "top_logprobs": [{"token": "Ho", "logprob": -2.0, "bytes": [72, 111]}],
    }
    assert [chunk["choices"][0]["logprobs"] for chunk in chunks] == [
        {"content": [], "refusal": None},
        {"content": [entry], "refusal": None},
        None,
    ]


def test_a_token_without_text_of_its_own_still_has_its_log_probability():
    choice = folded(ChatDelta(content="", logprobs=(HI,)), STOP, has_logprobs=True)["choices"][0]
    assert choice["logprobs"]["content"][0]["token"] == "Hi"
    assert choice["message"]["content"] == ""


def test_a_refusal_has_no_content_and_its_log_probabilities_apart():
    choice = folded(ChatDelta(refusal="No", logprobs=(HI,)), STOP, has_logprobs=True)["choices"][0]
    assert choice["message"]["content"] is None
    assert choice["message"]["refusal"] == "No"
    assert len(choice["logprobs"]["refusal"]) == 1


def test_thoughts_come_before_the_content_and_stay_apart_from_it():
    message = folded(ChatDelta(reasoning_content="Hm."), ChatDelta(content="Hi"), STOP)["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("Hm.", "Hi")


def test_an_answer_of_no_words_has_empty_content():
    assert folded(STOP)["choices"][0]["message"]["content"] == ""


def test_an_upstreams_lone_role_chunk_is_passed_on_at_once():
    stamper = ChunkStamper(ChunkStyle(model="m"))
    assert deltas(stamper.stamp(ChatDelta(content=""))) == [{"role": "assistant", "content": "", "refusal": None}]
    assert deltas(stamper.stamp(ChatDelta(content="Hi"))) == [{"content": "Hi"}]


def test_what_an_engine_says_of_a_finished_choice_is_dropped():
    assert folded(ChatDelta(content="Hi"), STOP, ChatDelta(content="more"))["choices"][0]["message"]["content"] == "Hi"


@pytest.mark.parametrize("events", [(), (ChatDelta(content="Hi"),), (STOP, ChatDelta(1, "Hi"))])
def test_an_answer_without_a_finish_reason_is_the_engines_failure(events: tuple[ChatEvent, ...]):
    with pytest.raises(EngineFailed, match="finish reason"):
        stamped(*events)
