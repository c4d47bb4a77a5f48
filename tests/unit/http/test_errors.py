import json
import logging
from typing import Annotated, Any, Literal

import pytest
from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from smalt.core.errors import (
    ApiError,
    ContextLengthExceeded,
    EngineFailed,
    InvalidRequest,
    ModelNotFound,
    Unavailable,
    UnsupportedParameter,
)
from smalt.http.answers import Json
from smalt.http.call import Call
from smalt.http.errors import answer
from smalt.http.routing import Router
from smalt.safety.content_filter import PromptFiltered
from smalt.schemas.vocabulary import check_answer

MOUNTS = {"azure_v1": "/openai/v1", "openai_v1": "/v1", "azure_classic": "/openai"}


class Text(BaseModel):
    type: Literal["text"]
    text: str


class Picture(BaseModel):
    type: Literal["image_url"]
    url: Annotated[str, Field(max_length=10)]


Part = Annotated[Text | Picture, Field(discriminator="type")]


class Message(BaseModel):
    role: Literal["user", "system"]
    content: str | Annotated[list[Part], Field(min_length=1)]


class Body(BaseModel):
    model_config = ConfigDict(strict=True)

    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=2)] = [Message(role="user", content="hi")]
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    n: Annotated[int, Field(ge=1, le=8)] = 1
    metadata: Annotated[dict[str, str], Field(max_length=2)] = {}
    name: Annotated[str, Field(min_length=1, max_length=4, pattern="^[a-z]*$")] = "a"
    stop: str | list[str] | None = None
    count: Annotated[int, Field(gt=0, lt=5)] = 1


class Narrow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str


router = Router()


@router.post("/check")
async def check(body: Body) -> Response:
    return Json({"model": body.model})


@router.post("/narrow")
async def narrow(body: Narrow) -> Response:
    return Json({"model": body.model})


@router.get("/list")
async def some(limit: Annotated[int, Field(ge=1, le=100)] = 20) -> dict[str, int]:
    return {"limit": limit}


@router.post("/list")
async def add() -> dict[str, int]:
    return {}


def said(error: Exception, mount: Any = "openai_v1") -> tuple[int, dict[str, Any]]:
    import orjson

    response = answer(error, Call(mount, "POST", "/x", "req_1"))
    return response.status_code, orjson.loads(bytes(response.body))


FAULTS = [
    ({}, "missing_required_parameter", "model", "Missing required parameter: 'model'."),
    ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content", "'messages[0].content'"),
    ({"model": 3}, "invalid_type", "model", "expected a string, but got an integer instead"),
    ({"model": None}, "invalid_type", "model", "but got null instead"),
    ({"n": "3"}, "invalid_type", "n", "expected an integer, but got a string instead"),
    ({"n": 1.5}, "invalid_type", "n", "expected an integer, but got a decimal instead"),
    ({"n": True}, "invalid_type", "n", "but got a boolean instead"),
    ({"messages": {}}, "invalid_type", "messages", "expected an array, but got an object instead"),
    ({"messages": ["x"]}, "invalid_type", "messages[0]", "expected an object, but got a string instead"),
    ({"metadata": {"a": 1}}, "invalid_type", "metadata.a", "expected a string"),
    ({"stop": 3}, "invalid_type", "stop", "expected one of a string or an array, but got an integer instead"),
    ({"stop": [1]}, "invalid_type", "stop[0]", "expected a string"),
    (
        {"messages": [{"role": "user", "content": 3}]},
        "invalid_type",
        "messages[0].content",
        "expected one of a string or an array",
    ),
    ({"temperature": 2.5}, "decimal_above_max_value", "temperature", "Expected a value <= 2, but got 2.5 instead"),
    ({"temperature": -1}, "decimal_below_min_value", "temperature", "Expected a value >= 0, but got -1 instead"),
    ({"n": 0}, "integer_below_min_value", "n", "Expected a value >= 1, but got 0 instead"),
    ({"n": 9}, "integer_above_max_value", "n", "Expected a value <= 8, but got 9 instead"),
    ({"count": 0}, "integer_below_min_value", "count", "Expected a value > 0"),
    ({"count": 5}, "integer_above_max_value", "count", "Expected a value < 5"),
    ({"messages": []}, "empty_array", "messages", "minimum length 1, but got an empty array instead"),
    (
        {"messages": [{"role": "user", "content": "x"}] * 3},
        "array_above_max_length",
        "messages",
        "maximum length 2, but got an array with length 3",
    ),
    ({"messages": [{"role": "user", "content": []}]}, "empty_array", "messages[0].content", "empty array"),
    ({"metadata": {"a": "", "b": "", "c": ""}}, "object_above_max_properties", "metadata", "at most 2 properties"),
    ({"name": "abcde"}, "string_above_max_length", "name", "maximum length 4, but got a string with length 5"),
    ({"name": ""}, "empty_string", "name", "minimum length 1"),
    ({"name": "A"}, "invalid_value", "name", "matches the pattern '^[a-z]*$'"),
    ({"messages": [{"role": "boss", "content": "x"}]}, "invalid_value", "messages[0].role", "Invalid value: 'boss'"),
    (
        {"messages": [{"role": "user", "content": [{"type": "film"}]}]},
        "invalid_value",
        "messages[0].content[0].type",
        "Supported values are: 'text', 'image_url'",
    ),
    (
        {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
        "missing_required_parameter",
        "messages[0].content[0].type",
        "Missing required parameter",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "url": "x" * 11}]}]},
        "string_above_max_length",
        "messages[0].content[0].url",
        "maximum length 10",
    ),
]


@pytest.mark.parametrize(("change", "code", "param", "phrase"), FAULTS, ids=[str(fault[0])[:40] for fault in FAULTS])
async def test_a_fault_in_the_body_is_named_by_code_and_place(run, change, code, param, phrase) -> None:
    running = await run(router)
    body = change if not change or "model" in change else {"model": "m", **change}
    for prefix in ("/openai/v1", "/v1"):
        response = await running.client.post(f"{prefix}/check", json=body)
        error = response.json()["error"]
        assert (response.status_code, error["type"]) == (400, "invalid_request_error")
        assert (error["code"], error["param"]) == (code, param)
        assert phrase in error["message"]


async def test_an_unknown_field_of_a_closed_object_is_named(run) -> None:
    running = await run(router)
    error = (await running.client.post("/v1/narrow", json={"model": "m", "quality": 1})).json()["error"]
    assert (error["code"], error["param"]) == ("unknown_parameter", "quality")


async def test_a_fault_in_the_query_is_named(run) -> None:
    running = await run(router)
    error = (await running.client.get("/v1/list?limit=x")).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_type", "limit")
    error = (await running.client.get("/v1/list?limit=0")).json()["error"]
    assert (error["code"], error["param"]) == ("integer_below_min_value", "limit")


@pytest.mark.parametrize("content", [b"{", b"{'a': 1}", b'{"model": "m",}', b"\xff\xfe", b'{"a": NaN}'])
async def test_a_body_that_is_no_json_is_said_to_be_none(run, content: bytes) -> None:
    running = await run(router)
    response = await running.client.post("/v1/check", content=content, headers={"content-type": "application/json"})
    error = response.json()["error"]
    assert response.status_code == 400
    assert "could not parse the JSON body" in error["message"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)


async def test_a_body_of_another_type_is_told_what_is_wanted(run) -> None:
    running = await run(router)
    for headers in ({"content-type": "text/plain"}, {}):
        response = await running.client.post("/v1/check", content=b'{"model": "m"}', headers=headers)
        assert response.status_code == 400
        assert "Content-Type: application/json" in response.json()["error"]["message"]


async def test_a_body_that_is_no_object_or_is_absent_is_refused(run) -> None:
    running = await run(router)
    response = await running.client.post("/v1/check", json=[1])
    assert "expected an object, but got an array" in response.json()["error"]["message"]
    response = await running.client.post("/v1/check")
    assert response.json()["error"]["code"] == "missing_required_parameter"


async def test_an_unknown_path_has_each_mounts_own_words(run) -> None:
    running = await run(router)
    openai = await running.client.post("/v1/x")
    assert openai.status_code == 404
    assert "Invalid URL (POST /v1/x)" in openai.json()["error"]["message"]
    for path in ("/openai/v1/x", "/openai/x?api-version=2024-10-21"):
        azure = await running.client.post(path)
        assert (azure.status_code, azure.json()["error"]["code"]) == (404, "404")
        assert "Resource not found" in azure.json()["error"]["message"]


async def test_a_classic_path_without_its_version_is_not_found(run) -> None:
    running = await run(router)
    response = await running.client.get("/openai/list")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "404")
    response = await running.client.get("/openai/list?api-version=soon")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "BadRequest")


async def test_a_wrong_method_is_told_every_right_one(run) -> None:
    running = await run(router)
    response = await running.client.delete("/v1/list")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert "Not allowed to DELETE on /v1/list" in response.json()["error"]["message"]


@pytest.mark.parametrize("mount", MOUNTS)
def test_engine_and_parameter_faults_have_openais_body_on_every_mount(mount: str) -> None:
    status, body = said(UnsupportedParameter("top_k"), mount)
    assert status == 400
    assert body["error"]["code"] == "unsupported_parameter"
    assert body["error"]["param"] == "top_k"
    assert "is not supported with this model" in body["error"]["message"]
    assert said(ContextLengthExceeded("too long", param="messages"), mount)[1]["error"]["param"] == "messages"


def test_an_unknown_model_is_openais_on_one_mount_and_a_deployment_on_the_others() -> None:
    error = ModelNotFound("The model 'x' does not exist. There are: a, b.")
    status, body = said(error, "openai_v1")
    assert (status, body["error"]["code"], body["error"]["param"]) == (404, "model_not_found", None)
    for mount in ("azure_v1", "azure_classic"):
        status, body = said(error, mount)
        assert (status, body["error"]["code"]) == (404, "DeploymentNotFound")
        assert "API deployment for this resource does not exist" in body["error"]["message"]
        assert "There are: a, b." in body["error"]["message"]


def test_an_operation_that_does_not_fit_the_model_has_azures_code() -> None:
    error = InvalidRequest("The embeddings operation does not work with x.", code="OperationNotSupported")
    assert said(error, "azure_classic")[1] == {
        "error": {"code": "OperationNotSupported", "message": "The embeddings operation does not work with x."}
    }
    assert said(error, "openai_v1")[1]["error"]["type"] == "invalid_request_error"


def test_headers_of_an_error_are_sent() -> None:
    response = answer(Unavailable("full", retry_after=7), Call("azure_v1", "POST", "/x", "id"))
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


async def test_an_unforeseen_failure_is_a_500_with_the_request_id_and_one_log_record(
    run, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Router()

    @broken.get("/broken")
    async def fail() -> Response:
        raise ZeroDivisionError("a secret of the inside")

    running = await run(broken)
    with caplog.at_level(logging.ERROR):
        response = await running.client.get("/v1/broken")
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (500, "server_error")
    assert response.headers["x-request-id"] in error["message"]
    assert "secret" not in response.text
    records = [record for record in caplog.records if record.exc_info]
    assert len(records) == 1
    assert vars(records[0])["request_id"] == response.headers["x-request-id"]


def test_a_failing_engine_is_logged_and_a_refusal_is_not(caplog: pytest.LogCaptureFixture) -> None:
    said(InvalidRequest("no"))
    assert not caplog.records
    said(EngineFailed("it broke"))
    assert len(caplog.records) == 1


def test_every_error_of_the_family_has_an_envelope_on_every_mount() -> None:
    def family(kind: type[ApiError]) -> list[type[ApiError]]:
        return [kind, *(one for child in kind.__subclasses__() for one in family(child))]

    for kind in family(ApiError):
        error = kind.__new__(kind)
        ApiError.__init__(error, "words")
        if isinstance(error, PromptFiltered):
            error.results = {}
        for mount in MOUNTS:
            status, body = said(error, mount)
            assert status == kind.status
            assert "words" in str(body) or kind.status == 401


def test_a_filtered_prompt_is_told_as_each_mount_does() -> None:
    safe = {"filtered": False, "severity": "safe"}
    found = {"hate": safe, "violence": {"filtered": True, "severity": "medium"}}
    for mount in ("azure_v1", "azure_classic"):
        response = answer(PromptFiltered(found), Call(mount, "POST", "/chat/completions", "r"))
        assert response.status_code == 400
        assert response.headers["ms-azureml-model-error-reason"] == "model_error"
        assert response.headers["ms-azureml-model-error-statuscode"] == "400"
        error = json.loads(response.body)["error"]
        assert list(error) == ["message", "type", "param", "code", "status", "innererror"]
        assert (error["type"], error["param"], error["code"], error["status"]) == (
            None,
            "prompt",
            "content_filter",
            400,
        )
        assert error["innererror"] == {"code": "ResponsibleAIPolicyViolation", "content_filter_result": found}
        check_answer("AzureErrorResponse", json.loads(response.body))
    response = answer(PromptFiltered(found), Call("openai_v1", "POST", "/chat/completions", "r"))
    error = json.loads(response.body)["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "content_filter")
    assert "ms-azureml-model-error-reason" not in response.headers
