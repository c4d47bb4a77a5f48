"""What is taken out of a request to be looked at."""

from base64 import b64encode

import pytest

from smalt.safety.prompts import Said, prompts_of
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

PICTURE = b"\x89PNG picture"


def chat(*messages):
    return AzureCreateChatCompletionRequest.model_validate({"model": "chat", "messages": list(messages)})


def completion(prompt, **fields):
    return CreateCompletionRequest.model_validate({"model": "chat", "prompt": prompt, **fields})


def test_every_text_of_a_conversation_is_taken_with_who_it_is_from():
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    custom = {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "print(1)"}}
    (prompt,) = prompts_of(
        chat(
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"role": "assistant", "content": None, "tool_calls": [call, custom]},
            {"role": "tool", "tool_call_id": "call_1", "content": "a page"},
            {"role": "function", "name": "old", "content": "a file"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "reasoning_content": "hm"},
            {"role": "user", "content": "three"},
        )
    )
    assert prompt.texts == (
        Said("Be kind.", "application"),
        Said("one", "user"),
        Said("two", "user"),
        Said('{"at": 1}', "application"),
        Said("print(1)", "application"),
        Said("a page", "document"),
        Said("a file", "document"),
        Said("no", "application"),
        Said("hm", "application"),
        Said("three", "user"),
    )
    assert prompt.from_source("document") == ["a page", "a file"]
    assert prompt.question == "three"


def test_pictures_that_came_along_are_taken_and_others_are_not_fetched():
    urls = [
        "data:image/png;base64," + b64encode(PICTURE).decode(),
        "https://example.com/picture.png",
        "data:image/png;base64,%%%",
        "data:image/svg+xml,<svg/>",
    ]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    (prompt,) = prompts_of(chat({"role": "user", "content": parts}))
    assert prompt.images[0] == PICTURE
    assert len(prompt.images) <= 2


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [("one", ["one"]), (["one", "two"], ["one", "two"]), (None, [""])],
)
def test_each_prompt_of_a_completion_stands_alone(prompt, texts):
    found = prompts_of(completion(prompt))
    assert [one.texts for one in found] == [(Said(text, "user"),) for text in texts]
    assert all(one.is_readable for one in found)


@pytest.mark.parametrize(("prompt", "count"), [([1, 2, 3], 1), ([[1, 2], [3]], 2)])
def test_token_ids_cannot_be_read(prompt, count):
    found = prompts_of(completion(prompt))
    assert [one.is_readable for one in found] == [False] * count


def test_what_comes_after_is_read_too():
    (prompt,) = prompts_of(completion("one", suffix="two"))
    assert [said.text for said in prompt.texts] == ["one", "two"]
