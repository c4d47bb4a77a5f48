"""What an upstream's refusals mean for our client, and which of them are tried again."""

import socket
import time
from typing import Any

import orjson
import pytest
from aiohttp import web

from smalt.core.errors import ApiError, InvalidRequest, NotFound, RateLimited, UpstreamFailed
from smalt.engines.protocols import ChatDelta, Deployment
from smalt.engines.upstream import UpstreamEngine
from smalt.engines.upstream.failures import failure
from smalt.schemas.chat import AzureCreateChatCompletionRequest

KEY = "sk-very-secret-key"
BODY = AzureCreateChatCompletionRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})


def fault(message: str = "bad", **fields: Any) -> bytes:
    return orjson.dumps({"error": {"message": message, **fields}})


def refusal(status: int, body: bytes = b"", **headers: str) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers, content_type="application/json")

    return answer


async def good(request: web.Request) -> web.StreamResponse:
    choice = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}
    return web.json_response({"model": "m", "choices": [choice]})


async def heard(engine: UpstreamEngine) -> list[Any]:
    return [event async for event in engine.chat(BODY)]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, InvalidRequest), (404, NotFound), (422, InvalidRequest), (429, RateLimited)]
)
def test_a_refusal_is_handed_on_as_it_is(status: int, kind: type[ApiError]):
    error = failure(status, {"retry-after": "7"}, fault(type="tokens", code="c", param="messages[0]"))
    assert isinstance(error, kind)
    assert (error.status, error.type, error.code, error.param) == (status, "tokens", "c", "messages[0]")
    assert (error.message, error.headers) == ("bad", {"Retry-After": "7"})


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_our_operators_matter(status: int):
    error = failure(status, {}, fault(f"Incorrect API key provided: {KEY}"), (KEY,))
    assert isinstance(error, UpstreamFailed)
    assert error.status == 502
    assert "refused the key" in error.message
    assert KEY not in error.message


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 5}'])
def test_a_refusal_without_an_error_object_is_the_upstreams_failure(body: bytes):
    assert failure(404, {}, body).status == 502
    assert "base_url" in failure(404, {}, body).message
    assert failure(500, {}, body).status == 502
    assert failure(429, {}, body).status == 429


def test_a_broken_upstream_is_quoted_without_the_key():
    error = failure(500, {}, fault(f"cannot use {KEY}"), (KEY,))
    assert (error.status, error.type) == (502, "server_error")
    assert "cannot use ***" in error.message


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_upstream_is_asked_again(stub: Any, open_engine: Any, status: int):
    stub.handlers = [refusal(status, fault()), good]
    assert ChatDelta(0, "Hi", finish_reason="stop") in await heard(open_engine())
    assert len(stub.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 500])
async def test_what_would_fail_again_is_not_asked_again(stub: Any, open_engine: Any, status: int):
    stub.handlers = [refusal(status, fault())]
    with pytest.raises(ApiError):
        await heard(open_engine())
    assert len(stub.requests) == 1


async def test_an_upstream_that_stays_busy_is_given_up(stub: Any, open_engine: Any):
    stub.handlers = [refusal(503, fault("no room"))]
    with pytest.raises(ApiError, match="no room") as error:
        await heard(open_engine(retries=2))
    assert error.value.status == 503
    assert len(stub.requests) == 3


async def test_the_pause_that_an_upstream_asks_for_is_kept_if_it_is_short(stub: Any, open_engine: Any):
    stub.handlers = [refusal(429, fault(), **{"retry-after-ms": "200"}), good]
    began = time.perf_counter()
    await heard(open_engine(retry_seconds=1))
    assert time.perf_counter() - began >= 0.2
    stub.handlers = [refusal(429, fault(), **{"Retry-After": "60"})]
    with pytest.raises(RateLimited) as error:
        await heard(open_engine(retry_seconds=1))
    assert error.value.headers["Retry-After"] == "60"
    assert len(stub.requests) == 3


async def test_a_connection_that_breaks_before_an_answer_is_made_again(stub: Any, open_engine: Any):
    async def drop(request: web.Request) -> web.StreamResponse:
        request.transport.close()
        return web.Response()

    stub.handlers = [drop, good]
    await heard(open_engine())
    assert len(stub.requests) == 2


async def test_nobody_at_the_address_says_so_without_telling_the_address(open_engine: Any):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(UpstreamFailed, match="'far' cannot be reached") as error:
        await heard(open_engine(base_url=f"http://127.0.0.1:{port}/v1", retries=1))
    assert str(port) not in error.value.message


async def test_a_redirect_is_not_followed_because_the_key_would_go_with_it(stub: Any, open_engine: Any):
    stub.handlers = [refusal(307, Location=f"{stub.url}/elsewhere")]
    with pytest.raises(UpstreamFailed, match="307"):
        await heard(open_engine())
    assert len(stub.requests) == 1


def test_the_key_is_in_no_repr():
    from pydantic import SecretStr

    options = {"base_url": "http://h/v1", "api_key": SecretStr(KEY), "headers": {"x": "other-secret"}}
    engine = UpstreamEngine(Deployment("far", "upstream", "m", frozenset(), options=options))
    for thing in (engine, vars(engine), engine.deployment.options["api_key"], engine._options, engine._connection):
        assert KEY not in repr(thing)
    assert "other-secret" not in repr(engine._options)


@pytest.mark.parametrize(
    ("options", "slip"),
    [
        ({}, "base_url"),
        ({"base_url": "ftp://h"}, "base_url"),
        ({"base_url": "http://h", "retrys": 1}, "retrys"),
        ({"base_url": "http://h", "api_key": 5}, "api_key"),
    ],
)
def test_a_slip_in_the_options_is_told_by_name(options: dict[str, Any], slip: str):
    with pytest.raises(InvalidRequest, match=slip):
        UpstreamEngine(Deployment("far", "upstream", "m", frozenset(), options=options))


async def test_a_key_may_come_from_the_environment(stub: Any, open_engine: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAR_KEY", "from-outside")
    stub.handlers = [good]
    await heard(open_engine(api_key=None, api_key_env="FAR_KEY", key_header="X-Key"))
    assert stub.requests[0].headers["X-Key"] == "from-outside"
