"""Requests keep what clients send, as they sent it."""

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionRequestAssistantMessage,
    ResponseFormatJsonSchema,
)
from smalt.schemas.completions import CreateCompletionRequest
from smalt.schemas.embeddings import AzureCreateEmbeddingRequest
from smalt.schemas.vocabulary import component_schemas

TEXT = {"type": "text", "text": "Look at this."}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": [TEXT]},
    {"role": "developer", "content": "Be brief.", "name": "boss"},
    {
        "role": "user",
        "content": [
            TEXT,
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "A cat."},
    {"role": "assistant", "content": [TEXT, {"type": "refusal", "refusal": "No."}], "reasoning_content": "Hm."},
    {"role": "function", "name": "look", "content": None},
    {"role": "user", "content": ""},
]
EVERYTHING: dict[str, Any] = {
    "model": "tiny",
    "messages": MESSAGES,
    "stream": True,
    "stream_options": {"include_usage": True},
    "n": 2,
    "max_completion_tokens": 10,
    "max_tokens": 10,
    "stop": ["a", "b", "c", "d"],
    "temperature": 0.5,
    "top_p": 0.5,
    "frequency_penalty": 0.5,
    "presence_penalty": -0.5,
    "logit_bias": {"50": -100.0},
    "seed": -(2**63),
    "logprobs": True,
    "top_logprobs": 5,
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    "tools": [
        {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}, "strict": True}},
        {"type": "custom", "custom": {"name": "run", "format": {"type": "text"}}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "parallel_tool_calls": False,
    "functions": [{"name": "look"}],
    "function_call": {"name": "look"},
    "reasoning_effort": "low",
    "verbosity": "high",
    "prediction": {"type": "content", "content": [TEXT]},
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "store": True,
    "metadata": {"a": "b"},
    "user": "someone",
    "user_security_context": {"source_ip": "192.0.2.1"},
    "data_sources": [
        {
            "type": "azure_search",
            "parameters": {
                "endpoint": "https://search.example",
                "index_name": "books",
                "authentication": {"type": "api_key", "key": "k"},
                "embedding_dependency": {"type": "deployment_name", "deployment_name": "e"},
                "include_contexts": ["citations"],
                "strictness": 3,
            },
        }
    ],
    "service_tier": "auto",
    "safety_identifier": "x",
    "prompt_cache_key": "x",
    "prompt_cache_retention": "24h",
    "web_search_options": {"search_context_size": "low"},
    "a_field_of_tomorrow": {"kept": True},
}


def sent_on(body: AzureCreateChatCompletionRequest) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude_unset=True)


def test_a_chat_request_is_sent_on_as_it_came() -> None:
    assert sent_on(AzureCreateChatCompletionRequest.model_validate(EVERYTHING)) == EVERYTHING


def test_the_published_schema_takes_the_same_request() -> None:
    schemas = component_schemas()
    schema = {"$ref": "#/components/schemas/AzureCreateChatCompletionRequest", "components": {"schemas": schemas}}
    validator = Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(EVERYTHING)] == []
    assert not validator.is_valid({**EVERYTHING, "n": "2"})
    assert not validator.is_valid({**EVERYTHING, "logit_bias": {"word": 1}})


def test_every_optional_field_may_be_null() -> None:
    fields = AzureCreateChatCompletionRequest.model_fields
    nulls = {name: None for name, field in fields.items() if not field.is_required()}
    body = AzureCreateChatCompletionRequest.model_validate(
        {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], **nulls}
    )
    assert all(getattr(body, name) is None for name in nulls)


def test_a_field_that_nobody_set_is_absent() -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}
    assert sent_on(AzureCreateChatCompletionRequest.model_validate(body)) == body


def test_integers_are_taken_for_decimals() -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "temperature": 1, "top_p": 0}
    assert AzureCreateChatCompletionRequest.model_validate(body).temperature == 1.0


@pytest.mark.parametrize("value", ["none", "auto", "required"])
def test_a_tool_choice_may_be_a_word(value: str) -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "tool_choice": value}
    assert AzureCreateChatCompletionRequest.model_validate(body).tool_choice == value


def test_a_refusal_stands_for_content() -> None:
    message = ChatCompletionRequestAssistantMessage.model_validate({"role": "assistant", "refusal": "No."})
    assert message.content is None


def test_a_schema_is_read_and_written_by_its_own_name() -> None:
    form = ResponseFormatJsonSchema.model_validate(EVERYTHING["response_format"])
    assert form.json_schema.schema_ == {"type": "object"}
    assert form.model_dump(exclude_unset=True) == EVERYTHING["response_format"]


@pytest.mark.parametrize("prompt", ["Once", ["Once", ""], [1, 2], [[1, 2], [3]], None])
def test_a_prompt_may_be_text_or_tokens_one_or_many(prompt: Any) -> None:
    assert CreateCompletionRequest.model_validate({"model": "tiny", "prompt": prompt}).prompt == prompt


@pytest.mark.parametrize("given", ["Once", ["Once", "more"], [1, 2], [[1, 2], [3]]])
def test_an_embedding_input_may_be_text_or_tokens_one_or_many(given: Any) -> None:
    assert AzureCreateEmbeddingRequest.model_validate({"model": "tiny", "input": given}).input == given


def test_best_of_zero_or_more_than_n_is_fine() -> None:
    for best_of in (0, 3):
        CreateCompletionRequest.model_validate({"model": "tiny", "prompt": "a", "n": 2, "best_of": best_of})
