"""A body's fault is told by the path of the field and the word that the real service uses."""

from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from smalt.core.errors import InvalidRequest
from smalt.http.validation import invalid_request
from smalt.schemas.vocabulary import adapter

USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "look"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [USER], **fields}


def said(*messages: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages)}


def part(**fields: Any) -> dict[str, Any]:
    return said({"role": "user", "content": [fields]})


def fault(schema: str, body: Any) -> InvalidRequest:
    with pytest.raises(ValidationError) as caught:
        adapter(schema).validate_python(body)
    errors = [{**error, "loc": ("body", *error["loc"])} for error in caught.value.errors()]
    return invalid_request(RequestValidationError(errors, body=body))


CHAT_FAULTS = [
    ({"messages": [USER]}, "model", "missing_required_parameter"),
    ({"model": "m"}, "messages", "missing_required_parameter"),
    ({"model": 7, "messages": [USER]}, "model", "invalid_type"),
    (said(), "messages", "empty_array"),
    (said("Hello"), "messages[0]", "invalid_type"),
    (said({"content": "Hello"}), "messages[0].role", "missing_required_parameter"),
    (said({"role": "robot", "content": "Hello"}), "messages[0].role", "invalid_value"),
    (said(USER, {"role": "user"}), "messages[1].content", "missing_required_parameter"),
    (said({"role": "user", "content": 5}), "messages[0].content", "invalid_type"),
    (said({"role": "user", "content": None}), "messages[0].content", "invalid_type"),
    (said({"role": "user", "content": []}), "messages[0].content", "empty_array"),
    (said({"role": "assistant", "content": None}), "messages[0].content", "missing_required_parameter"),
    (said({"role": "assistant"}), "messages[0].content", "missing_required_parameter"),
    (said({"role": "tool", "content": "5"}), "messages[0].tool_call_id", "missing_required_parameter"),
    (
        said({"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}),
        "messages[0].tool_calls[0].function.arguments",
        "missing_required_parameter",
    ),
    (part(type="text"), "messages[0].content[0].text", "missing_required_parameter"),
    (part(type="text", text=5), "messages[0].content[0].text", "invalid_type"),
    (part(type="smell"), "messages[0].content[0].type", "invalid_value"),
    (part(type="image_url", image_url="x"), "messages[0].content[0].image_url", "invalid_type"),
    (part(type="image_url", image_url={}), "messages[0].content[0].image_url.url", "missing_required_parameter"),
    (
        part(type="image_url", image_url={"url": "x", "detail": "odd"}),
        "messages[0].content[0].image_url.detail",
        "invalid_value",
    ),
    (chat(temperature="0.5"), "temperature", "invalid_type"),
    (chat(temperature=True), "temperature", "invalid_type"),
    (chat(temperature=-1), "temperature", "decimal_below_min_value"),
    (chat(temperature=2.5), "temperature", "decimal_above_max_value"),
    (chat(top_p=1.5), "top_p", "decimal_above_max_value"),
    (chat(frequency_penalty=3), "frequency_penalty", "decimal_above_max_value"),
    (chat(presence_penalty=-3), "presence_penalty", "decimal_below_min_value"),
    (chat(n=0), "n", "integer_below_min_value"),
    (chat(n=129), "n", "integer_above_max_value"),
    (chat(n="2"), "n", "invalid_type"),
    (chat(n=1.5), "n", "invalid_type"),
    (chat(max_tokens=0), "max_tokens", "integer_below_min_value"),
    (chat(stream="yes"), "stream", "invalid_type"),
    (chat(stop=list("abcde")), "stop", "array_above_max_length"),
    (chat(stop=5), "stop", "invalid_type"),
    (chat(stop=["a", 5]), "stop[1]", "invalid_type"),
    (chat(logprobs=True, top_logprobs=21), "top_logprobs", "integer_above_max_value"),
    (chat(top_logprobs=2), "top_logprobs", "invalid_value"),
    (chat(stream_options={"include_usage": True}), "stream_options", "invalid_value"),
    (chat(logit_bias={"50": 101}), "logit_bias.50", "decimal_above_max_value"),
    (chat(metadata={str(n): "" for n in range(17)}), "metadata", "object_above_max_properties"),
    (chat(metadata={"a": "x" * 513}), "metadata.a", "string_above_max_length"),
    (chat(metadata={"modified": True}), "metadata.modified", "invalid_type"),
    (chat(response_format={"type": "xml"}), "response_format.type", "invalid_value"),
    (chat(response_format={"type": "json_schema"}), "response_format.json_schema", "missing_required_parameter"),
    (
        chat(response_format={"type": "json_schema", "json_schema": {}}),
        "response_format.json_schema.name",
        "missing_required_parameter",
    ),
    (chat(tools=[{"type": "function"}]), "tools[0].function", "missing_required_parameter"),
    (chat(tools=[{"type": "function", "function": {}}]), "tools[0].function.name", "missing_required_parameter"),
    (
        chat(tools=[{"type": "function", "function": {"name": "no spaces"}}]),
        "tools[0].function.name",
        "invalid_value",
    ),
    (chat(tools=[TOOL] * 129), "tools", "array_above_max_length"),
    (chat(tool_choice="maybe"), "tool_choice", "invalid_value"),
    (chat(tool_choice={"type": "function", "function": {}}), "tool_choice.function.name", "missing_required_parameter"),
    (chat(function_call="maybe"), "function_call", "invalid_value"),
    (chat(functions=[]), "functions", "empty_array"),
    (chat(reasoning_effort="huge"), "reasoning_effort", "invalid_value"),
    (chat(modalities=["smell"]), "modalities[0]", "invalid_value"),
    (chat(prediction={"type": "content"}), "prediction.content", "missing_required_parameter"),
    (chat(data_sources=[{"type": "azure_search"}]), "data_sources[0].parameters", "missing_required_parameter"),
    (chat(data_sources=[{"type": "paper"}]), "data_sources[0].type", "invalid_value"),
]


@pytest.mark.parametrize(("body", "param", "code"), CHAT_FAULTS, ids=[f"{p}-{c}" for _, p, c in CHAT_FAULTS])
def test_a_chat_request_s_fault_is_named(body: dict[str, Any], param: str, code: str) -> None:
    told = fault("AzureCreateChatCompletionRequest", body)
    assert (told.param, told.code) == (param, code)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": 5}, "input", "invalid_type"),
        ({"input": []}, "input", "empty_array"),
        ({"input": ""}, "input", "empty_string"),
        ({"input": ["a", 5]}, "input[1]", "invalid_type"),
        ({"input": ["a", ""]}, "input[1]", "empty_string"),
        ({"input": [1, -1]}, "input[1]", "integer_below_min_value"),
        ({"input": [[1], []]}, "input[1]", "empty_array"),
        ({"input": ["a"] * 2049}, "input", "array_above_max_length"),
        ({"input": "a", "dimensions": 0}, "dimensions", "integer_below_min_value"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format", "invalid_value"),
    ],
)
def test_an_embedding_request_s_fault_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    told = fault("AzureCreateEmbeddingRequest", {"model": "m", **fields})
    assert (told.param, told.code) == (param, code)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"prompt": 5}, "prompt", "invalid_type"),
        ({"prompt": [[1], "a"]}, "prompt[1]", "invalid_type"),
        ({"logprobs": 6}, "logprobs", "integer_above_max_value"),
        ({"best_of": 21}, "best_of", "integer_above_max_value"),
        ({"n": 3, "best_of": 2}, "best_of", "invalid_value"),
        ({"max_tokens": -1}, "max_tokens", "integer_below_min_value"),
    ],
)
def test_a_completion_request_s_fault_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    told = fault("CreateCompletionRequest", {"model": "m", "prompt": "Once", **fields})
    assert (told.param, told.code) == (param, code)


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": "Hello", **fields}


def sent(*items: Any) -> dict[str, Any]:
    return {"model": "m", "input": list(items)}


def tool(**fields: Any) -> dict[str, Any]:
    return asked(tools=[fields])


RESPONSE_FAULTS = [
    ({"input": "Hello"}, "model", "missing_required_parameter"),
    (asked(input=5), "input", "invalid_type"),
    (sent("Hello"), "input[0]", "invalid_type"),
    (sent({}), "input[0].type", "missing_required_parameter"),
    (sent({"type": "smell"}), "input[0].type", "invalid_value"),
    (sent({"role": "robot", "content": "Hello"}), "input[0].role", "invalid_value"),
    (sent({"type": "message", "content": "Hello"}), "input[0].role", "missing_required_parameter"),
    (sent(USER, {"role": "user"}), "input[1].content", "missing_required_parameter"),
    (sent({"role": "user", "content": 5}), "input[0].content", "invalid_type"),
    (sent({"role": "user", "content": [{"type": "smell"}]}), "input[0].content[0].type", "invalid_value"),
    (
        sent({"role": "user", "content": [{"type": "input_text"}]}),
        "input[0].content[0].text",
        "missing_required_parameter",
    ),
    (
        sent({"role": "user", "content": [{"type": "input_image", "detail": "odd"}]}),
        "input[0].content[0].detail",
        "invalid_value",
    ),
    (sent({"type": "function_call_output", "output": "5"}), "input[0].call_id", "missing_required_parameter"),
    (sent({"type": "function_call_output", "call_id": "c", "output": 5}), "input[0].output", "invalid_type"),
    (sent({"type": "item_reference"}), "input[0].id", "missing_required_parameter"),
    (
        sent({"type": "mcp_approval_response", "approval_request_id": "a", "approve": "yes"}),
        "input[0].approve",
        "invalid_type",
    ),
    (tool(type="smell"), "tools[0].type", "invalid_value"),
    (tool(name="f"), "tools[0].type", "missing_required_parameter"),
    (tool(type="function"), "tools[0].name", "missing_required_parameter"),
    (tool(type="function", name="no spaces"), "tools[0].name", "invalid_value"),
    (tool(type="function", name="f", parameters=[]), "tools[0].parameters", "invalid_type"),
    (tool(type="file_search"), "tools[0].vector_store_ids", "missing_required_parameter"),
    (tool(type="file_search", vector_store_ids=[]), "tools[0].vector_store_ids", "empty_array"),
    (
        tool(type="file_search", vector_store_ids=["v"], max_num_results=51),
        "tools[0].max_num_results",
        "integer_above_max_value",
    ),
    (tool(type="code_interpreter"), "tools[0].container", "missing_required_parameter"),
    (tool(type="code_interpreter", container={"type": "odd"}), "tools[0].container.type", "invalid_value"),
    (tool(type="function", function={"name": "look"}), "tools[0].name", "missing_required_parameter"),
    (
        tool(type="mcp", server_label="x", server_url="u", require_approval="maybe"),
        "tools[0].require_approval",
        "invalid_value",
    ),
    (tool(type="image_generation", partial_images=4), "tools[0].partial_images", "integer_above_max_value"),
    (asked(tools=[{"type": "local_shell"}] * 129), "tools", "array_above_max_length"),
    (asked(tool_choice="maybe"), "tool_choice", "invalid_value"),
    (asked(tool_choice={"type": "function"}), "tool_choice.name", "missing_required_parameter"),
    (asked(tool_choice={"type": "smell"}), "tool_choice.type", "invalid_value"),
    (asked(include=["everything"]), "include[0]", "invalid_value"),
    (asked(max_output_tokens=15), "max_output_tokens", "integer_below_min_value"),
    (asked(max_tool_calls=0), "max_tool_calls", "integer_below_min_value"),
    (asked(top_logprobs=21), "top_logprobs", "integer_above_max_value"),
    (asked(temperature=2.5), "temperature", "decimal_above_max_value"),
    (asked(truncation="some"), "truncation", "invalid_value"),
    (asked(reasoning={"effort": "huge"}), "reasoning.effort", "invalid_value"),
    (asked(text={"format": {"type": "xml"}}), "text.format.type", "invalid_value"),
    (asked(text={"format": {"type": "json_schema", "name": "n"}}), "text.format.schema", "missing_required_parameter"),
    (asked(prompt={}), "prompt.id", "missing_required_parameter"),
    (asked(prompt={"id": "p", "variables": {"a": 5}}), "prompt.variables.a", "invalid_type"),
    (asked(conversation=5), "conversation", "invalid_type"),
    (asked(conversation={}), "conversation.id", "missing_required_parameter"),
    (asked(stream_options={"include_obfuscation": True}), "stream_options", "invalid_value"),
    (asked(metadata={"a": "x" * 513}), "metadata.a", "string_above_max_length"),
    (asked(background="yes"), "background", "invalid_type"),
]


@pytest.mark.parametrize(("body", "param", "code"), RESPONSE_FAULTS, ids=[f"{p}-{c}" for _, p, c in RESPONSE_FAULTS])
def test_a_response_request_s_fault_is_named(body: dict[str, Any], param: str, code: str) -> None:
    told = fault("AzureCreateResponse", body)
    assert (told.param, told.code) == (param, code)


def test_a_message_names_all_the_types_that_a_field_takes() -> None:
    told = fault("AzureCreateChatCompletionRequest", said({"role": "user", "content": 5}))
    assert "one of a string or an array of objects" in told.message
    assert "an integer" in told.message
