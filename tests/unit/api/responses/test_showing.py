"""Stored items are whole; a client sees of them what it asked for."""

from typing import Any

import pytest

from smalt.api.responses.showing import Showing

Json = dict[str, Any]

LOGPROB = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "content": [{"type": "output_text", "text": "a", "annotations": [], "logprobs": [LOGPROB]}],
}


@pytest.mark.parametrize(
    ("item", "wish", "hidden"),
    [
        (MESSAGE, "message.output_text.logprobs", {**MESSAGE, "content": [{**MESSAGE["content"][0], "logprobs": []}]}),
        (
            {"type": "message", "content": [{"type": "input_image", "image_url": "data:x", "detail": "auto"}]},
            "message.input_image.image_url",
            {"type": "message", "content": [{"type": "input_image", "image_url": None, "detail": "auto"}]},
        ),
        (
            {"type": "file_search_call", "results": [{"file_id": "file-1"}]},
            "file_search_call.results",
            {"type": "file_search_call", "results": None},
        ),
        (
            {"type": "code_interpreter_call", "outputs": [{"type": "logs", "logs": "1"}]},
            "code_interpreter_call.outputs",
            {"type": "code_interpreter_call", "outputs": None},
        ),
        (
            {"type": "reasoning", "summary": [], "encrypted_content": "sealed"},
            "reasoning.encrypted_content",
            {"type": "reasoning", "summary": []},
        ),
        (
            {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "data:x"}},
            "computer_call_output.output.image_url",
            {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": None}},
        ),
        (
            {"type": "web_search_call", "action": {"type": "search", "query": "q", "sources": [{"url": "u"}]}},
            "web_search_call.action.sources",
            {"type": "web_search_call", "action": {"type": "search", "query": "q"}},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_wish_shows_its_own_part_and_the_item_stays_whole(item: Json, wish: str, hidden: Json):
    whole = str(item)
    assert Showing([wish]).item(item) == item
    assert Showing([]).item(item) == hidden
    assert str(item) == whole


def test_what_the_model_was_told_is_never_shown():
    item = {"type": "file_search_call", "results": None, "_told": {"output": "secret"}}
    for event in (
        {"type": "response.output_item.done", "item": item},
        {"type": "response.completed", "response": {"output": [item]}},
    ):
        assert "secret" not in str(Showing(["file_search_call.results"]).event(event))


def test_log_probabilities_are_taken_out_of_events_too():
    delta = {"type": "response.output_text.delta", "delta": "a", "logprobs": [LOGPROB]}
    part = {"type": "response.content_part.done", "part": MESSAGE["content"][0]}
    hiding, showing = Showing([]), Showing(["message.output_text.logprobs"])
    assert hiding.event(delta)["logprobs"] == hiding.event(part)["part"]["logprobs"] == []
    assert showing.event(delta) == delta
    assert showing.event(part) == part
