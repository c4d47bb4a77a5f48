"""What is taken out of a request to be looked at."""

from base64 import b64encode
from typing import Any

import pytest

from smalt.safety.prompts import Said, prompts_of
from smalt.safety.schema_texts import text_of_schema
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
    assert prompt.images == (PICTURE, b"<svg/>")
    assert prompt.broken_images == ("messages[0].content[2].image_url.url",)


@pytest.mark.parametrize(
    "url",
    ["  data:image/png;base64,{}", "Data:image/png;charset=x;BASE64,{}\n", "data:;base64, {}", "data:;base64,{}%3D"],
)
def test_pictures_are_read_as_leniently_as_a_model_may_read_them(url):
    encoded = b64encode(PICTURE[:-1]).decode()
    part = {"type": "image_url", "image_url": {"url": url.format(encoded.rstrip("="))}}
    (prompt,) = prompts_of(chat({"role": "user", "content": [part]}))
    assert (prompt.images, prompt.broken_images) == ((PICTURE[:-1],), ())


def test_what_the_application_tells_beside_the_conversation_is_taken():
    inner = {
        "description": "Where to look.",
        "anyOf": [{"enum": ["here", 3, "there"]}, {"const": "up", "type": "string"}],
    }
    at = {"title": "At", "default": {"hours": ["noon"]}}
    nested = {"type": "object", "properties": {"description": inner, "at": at}}
    tools = [
        {"type": "function", "function": {"name": "look", "description": "Looks."}},
        {"type": "custom", "custom": {"name": "run", "description": "Runs."}},
        {"type": "function", "function": {"name": "silent", "parameters": nested}},
    ]
    parameters = {
        "endpoint": "https://search.example",
        "index_name": "pages",
        "authentication": {"type": "api_key", "key": "key"},
        "role_information": "Answer as a pirate.",
    }
    source = {"type": "azure_search", "parameters": parameters}
    body = AzureCreateChatCompletionRequest.model_validate(
        {
            "model": "chat",
            "messages": [{"role": "user", "content": "hello"}],
            "tools": tools,
            "functions": [{"name": "old", "description": "Olds."}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "form", "description": "A form.", "schema": {"title": "Form"}},
            },
            "data_sources": [source],
            "prediction": {"type": "content", "content": [{"type": "text", "text": "A draft."}]},
        }
    )
    (prompt,) = prompts_of(body)
    told = "Where to look.\nhere\nthere\nup\nAt\nnoon"
    assert prompt.beside == ("Looks.", "Runs.", told, "Olds.", "A form.", "Form", "Answer as a pirate.", "A draft.")
    assert prompt.all_texts == ["hello", *prompt.beside]
    assert prompt.texts == (Said("hello", "user"),)


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


def test_a_file_that_nobody_has_read_cannot_be_judged():
    file = {"type": "file", "file": {"file_id": "file-1"}}
    (prompt,) = prompts_of(chat({"role": "user", "content": [{"type": "text", "text": "one"}, file]}))
    assert (prompt.texts, prompt.is_readable) == ((Said("one", "user"),), False)


def test_what_comes_after_is_read_too():
    (prompt,) = prompts_of(completion("one", suffix="two"))
    assert [said.text for said in prompt.texts] == ["one", "two"]


def test_a_schema_as_deep_as_any_is_read():
    schema: dict[str, Any] = {"description": "At the bottom."}
    for _ in range(5_000):
        schema = {"items": schema}
    assert text_of_schema(schema) == "At the bottom."
