"""Giving answers the shape that a document describes."""

import struct
from base64 import b64encode
from typing import Any

import orjson
import pytest

from connector_samples import action_of, field, parameter
from smalt.connectors.definitions.vocabulary import Operation, ReturnField
from smalt.connectors.exchange import Answer
from smalt.connectors.results import shaped
from smalt.core.errors import ApiError, AuthenticationFailed, InvalidRequest, NotFound, RateLimited, UpstreamFailed

JSON = {"content-type": "application/json"}


def result(raw: Any, *returns: ReturnField) -> dict[str, Any]:
    action = action_of(returns=returns)
    return shaped(action, action.operations[0], Answer(200, JSON, orjson.dumps(raw)))


def answered(status: int, body: bytes, **headers: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        shaped(action_of(), action_of().operations[0], Answer(status, headers, body))
    return caught.value


def test_fields_are_taken_from_where_they_lie_and_the_rest_stays():
    raw = {"id": "c", "choices": [{"message": {"content": "Hi"}}, {"message": {"content": "Ho"}}], "new": 1}
    shape = result(
        raw,
        field("first_content", "string", "choices[0].message.content"),
        field("choices", "array of object"),
        field("choices.message.content", "string"),
    )
    assert shape == {**raw, "first_content": "Hi"}


def test_an_answer_that_the_document_puts_under_a_name_lies_there():
    raw = {"id": "c", "choices": [{"text": "Hi", "logprobs": {"tokens": ["Hi"]}}], "usage": {"total_tokens": 2}}
    shape = result(
        raw,
        field("first_completion", "string", "choices[0].text"),
        field("result.id", "string", "id"),
        field("result.choices.logprobs", "string", "choices.logprobs"),
        field("result.usage.total_tokens", "integer", "usage.total_tokens"),
    )
    assert shape["first_completion"] == "Hi"
    assert shape["result"]["choices"] == [{"text": "Hi", "logprobs": '{"tokens":["Hi"]}'}]
    assert set(shape) == {"first_completion", "result"}


def test_what_the_document_has_under_another_name_is_not_there_twice():
    raw = {"data": [{"embedding": [0.5]}, {"embedding": [1.5]}], "model": "m"}
    many = result(raw, field("embeddings", "array of array", "data.embedding"), field("model", "string"))
    one = result(raw, field("embedding", "array of number", "data[0].embedding"))
    assert many == {"embeddings": [[0.5], [1.5]], "model": "m"}
    assert one == {"embedding": [0.5], "model": "m"}


@pytest.mark.parametrize(
    ("kind", "wire", "documented"),
    [
        ("string", {"a": 1}, '{"a":1}'),
        ("string", 5, "5"),
        ("string", None, None),
        ("integer", 5.0, 5),
        ("integer", "5", 5),
        ("integer", "auto", None),
        ("float", 0.5, 0.5),
        ("boolean", True, True),
        ("boolean", "yes", None),
        ("object", [], None),
        ("array of string", ["a", 1], ["a", "1"]),
        ("array of string", None, []),
        ("array of object", {"a": 1}, [{"a": 1}]),
        ("array of float", b64encode(struct.pack("<2f", 0.5, -2)).decode(), [0.5, -2.0]),
        ("promptFilterResults", [{"a": 1}], [{"a": 1}]),
    ],
)
def test_a_field_has_the_documented_type(kind: str, wire: Any, documented: Any):
    shape = result({"it": wire}, field("it", kind))
    assert shape == {"it": documented}
    assert type(shape["it"]) is type(documented)


def test_documented_fields_that_a_service_leaves_out_are_there_without_a_value():
    raw = {"data": [{"id": "m"}], "choices": [{"finish_reason": "content_filter"}]}
    shape = result(
        raw,
        field("data", "array of object"),
        field("data.root", "string"),
        field("data.permission", "array of object"),
        field("data.permission.id", "string"),
        field("choices.message.content", "string"),
        field("usage.total_tokens", "integer"),
    )
    assert shape == {
        "data": [{"id": "m", "root": None, "permission": []}],
        "choices": [{"finish_reason": "content_filter", "message": None}],
        "usage": None,
    }


def test_a_file_is_given_as_base64_with_its_type():
    operation = Operation(method="POST", path="/audio/speech", answer="binary")
    action = action_of(operations=(operation,), returns=(field("$content", "string"), field("$content-type", "string")))
    shape = shaped(action, operation, Answer(200, {"content-type": "audio/mpeg"}, b"\x00\x01"))
    assert shape == {"$content": "AAE=", "$content-type": "audio/mpeg"}


def test_text_is_given_as_the_documents_text():
    action = action_of(returns=(field("text", "string"),))
    plain = {"content-type": "text/plain; charset=utf-8"}
    assert shaped(action, action.operations[0], Answer(200, plain, "Grüß\n".encode())) == {"text": "Grüß\n"}


def test_a_list_gets_the_documents_name():
    assert result([{"id": "a"}], field("files", "array of object"))["files"] == [{"id": "a"}]
    assert result([1]) == {"data": [1]}


def test_an_empty_answer_is_an_empty_result():
    action = action_of(returns=(field("deleted", "boolean"),))
    assert shaped(action, action.operations[0], Answer(204, {}, b"")) == {"deleted": None}


def test_a_custom_calls_answer_comes_as_it_is():
    action = action_of(parameter("url", place="custom"))
    shape = shaped(action, action.operations[0], Answer(201, JSON, b'{"id": 1}'))
    assert shape == {"statusCode": 201, "headers": JSON, "body": {"id": 1}}
    sound = shaped(action, action.operations[0], Answer(200, {"content-type": "audio/wav"}, b"\x00"))
    assert sound["body"] == {"$content": "AA==", "$content-type": "audio/wav"}


def test_errors_keep_what_the_service_said():
    wrong_key = answered(
        401,
        b'{"error":{"message":"Incorrect API key provided: sk-1.","type":"invalid_request_error","param":null,'
        b'"code":"invalid_api_key"}}',
    )
    assert isinstance(wrong_key, AuthenticationFailed)
    assert (wrong_key.status, wrong_key.code) == (401, "invalid_api_key")
    assert wrong_key.message == "Incorrect API key provided: sk-1."
    limited = answered(429, b'{"error":{"code":"429","message":"Slow down.","type":"tokens"}}', **{"retry-after": "9"})
    assert isinstance(limited, RateLimited)
    assert (limited.type, limited.headers) == ("tokens", {"Retry-After": "9"})
    filtered = answered(400, b'{"error":{"message":"Filtered","type":null,"param":"prompt","code":"content_filter"}}')
    assert isinstance(filtered, InvalidRequest)
    assert (filtered.param, filtered.code, filtered.type) == ("prompt", "content_filter", "invalid_request_error")


def test_errors_of_gateways_are_told_too():
    gateway = answered(401, b'{ "statusCode": 401, "message": "Access denied due to missing subscription key." }')
    assert gateway.message == "Access denied due to missing subscription key."
    assert "<h1>Bad gateway</h1>" in answered(502, b"<h1>Bad gateway</h1>").message
    assert (answered(504, b"").status, answered(418, b"{}").status) == (504, 418)
    assert isinstance(answered(404, b"[]"), NotFound)
    assert isinstance(answered(302, b"", location="https://elsewhere.example"), UpstreamFailed)


def test_a_page_in_place_of_json_is_refused():
    action = action_of()
    with pytest.raises(UpstreamFailed, match="text/html"):
        shaped(action, action.operations[0], Answer(200, {"content-type": "text/html"}, b"<html>"))


def test_what_was_paid_for_is_kept_though_its_json_is_a_little_wrong():
    action = action_of(returns=(field("text", "string"), field("scores", "array of number")))
    said = b'{"text": "\\u00fc \\ud83d", "scores": [NaN, 0.5]}'
    assert shaped(action, action.operations[0], Answer(200, JSON, said)) == {"text": "ü ?", "scores": [None, 0.5]}
