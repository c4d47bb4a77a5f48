import logging
from pathlib import Path

import pytest
from fastapi import Response

from smalt.core.errors import AuthenticationFailed
from smalt.core.settings import AuthSettings, load_settings
from smalt.http.answers import Json
from smalt.http.authentication import OPEN_PATHS, Authentication
from smalt.http.call import Call
from smalt.http.dependencies import CurrentCall
from smalt.http.refusals import ForeignHost, MissingKey, WrongKey, masked
from smalt.http.routing import Router
from smalt.store.keys import Key, digest

SECRET = "sk-smalt-abcdefghijklmnopqrstuvwxyz"


class OneKey:
    """A source that knows a single key."""

    async def find(self, key_digest: str) -> Key | None:
        return Key("key_1", "one", "green", 0, tokens_per_minute=7) if key_digest == digest(SECRET) else None


def authentication(**settings: bool) -> Authentication:
    return Authentication(AuthSettings(**settings), OneKey())


def call(path: str = "/v1/models") -> Call:
    return Call("openai_v1", "GET", path, "req_1")


@pytest.mark.parametrize(
    "header",
    [
        (b"api-key", SECRET.encode()),
        (b"authorization", b"Bearer " + SECRET.encode()),
        (b"authorization", b"bearer  " + SECRET.encode()),
    ],
)
async def test_a_key_is_taken_from_either_header(header: tuple[bytes, bytes]) -> None:
    caller = await authentication().caller_of(call(), [(b"host", b"x"), header])
    assert (caller.key_id, caller.key_name, caller.project, caller.tokens_per_minute) == ("key_1", "one", "green", 7)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"api-key", b"")],
        [(b"authorization", b"Basic dXNlcjpwYXNz")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", SECRET.encode())],
        [(b"x-api-key", SECRET.encode())],
    ],
)
async def test_a_request_without_a_key_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(MissingKey):
        await authentication().caller_of(call(), headers)


@pytest.mark.parametrize("secret", [b"wrong", SECRET[:-1].encode(), b"\xff\xfe", b"a.b.c", SECRET.encode() + b"x"])
async def test_a_wrong_key_is_refused(secret: bytes) -> None:
    with pytest.raises(WrongKey):
        await authentication().caller_of(call(), [(b"api-key", secret)])


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
async def test_the_allow_list_is_open(path: str) -> None:
    assert (await authentication().caller_of(call(path), [])).key_id == "anonymous"


@pytest.mark.parametrize(
    "path", ["/health/", "/healthy", "/v1/health", "/metrics", "/docs/", "/docs/x", "/", "/openai/v1/openapi.json"]
)
async def test_nothing_beside_the_allow_list_is_open(path: str) -> None:
    with pytest.raises(AuthenticationFailed):
        await authentication().caller_of(call(path), [])


async def test_without_authentication_everybody_is_one_anonymous_caller() -> None:
    headers = [(b"api-key", b"anything"), (b"host", b"localhost:8080")]
    caller = await authentication(enabled=False).caller_of(call(), headers)
    assert (caller.key_id, caller.project) == ("anonymous", "default")


@pytest.mark.parametrize("host", [b"evil.example", b"evil.example:8080", b"127.0.0.1.evil.example", b"", b"10.0.0.1"])
async def test_without_keys_only_loopback_names_are_answered(host: bytes) -> None:
    with pytest.raises(ForeignHost, match=r"127\.0\.0\.1"):
        await authentication(enabled=False).caller_of(call(), [(b"host", host)])


def test_a_long_key_is_shown_by_its_ends_and_a_short_one_not_at_all() -> None:
    assert masked("sk-smalt-abcdefghijklmnop1234") == "sk-smalt********1234"
    assert masked("password") == "********"
    assert "secret" not in masked("my-secret-value")


async def who(call: CurrentCall) -> Response:
    return Json({"key": call.caller.key_id, "project": call.caller.project})


async def test_operations_see_the_project_of_the_key(run) -> None:
    router = Router()
    router.get("/who")(who)
    running = await run(router)
    assert (await running.client.get("/v1/who")).json()["project"] == "green"


async def test_a_revoked_key_is_refused_at_once(run) -> None:
    router = Router()
    router.get("/who")(who)
    running = await run(router)
    await running.app.state.keys.revoke("tester")
    assert (await running.client.get("/v1/who")).status_code == 401


async def test_an_unknown_path_without_a_key_does_not_say_that_it_is_unknown(run) -> None:
    running = await run()
    async with running.stranger() as stranger:
        assert (await stranger.get("/nowhere")).status_code == 401
        assert (await stranger.get("/openai/nowhere")).status_code == 401


async def test_azure_mounts_refuse_a_wrong_key_as_azures_gate_does(run) -> None:
    running = await run()
    for path in ("/openai/v1/models", "/openai/deployments/x/embeddings?api-version=2024-10-21", "/openai/models"):
        answer = await running.client.get(path, headers={"api-key": "wrong"})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "401"
        assert "invalid subscription key" in answer.json()["error"]["message"]
        assert "www-authenticate" not in answer.headers


async def test_azure_mounts_refuse_a_missing_key_without_an_error_object(run) -> None:
    running = await run()
    async with running.stranger() as stranger:
        answer = await stranger.get("/openai/models")
    assert answer.status_code == 401
    assert answer.json()["statusCode"] == 401
    assert "missing subscription key" in answer.json()["message"]


async def test_the_openai_mount_refuses_a_wrong_key_as_openai_does(run) -> None:
    running = await run()
    answer = await running.client.get("/v1/models", headers={"api-key": "sk-abcdefghijklmnopqrstuvwxyz"})
    error = answer.json()["error"]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="OpenAI API"'
    assert (error["code"], error["type"], error["param"]) == ("invalid_api_key", "invalid_request_error", None)
    assert "Incorrect API key provided: sk-abcde********wxyz" in error["message"]


async def test_no_key_is_ever_logged(run, caplog: pytest.LogCaptureFixture) -> None:
    router = Router()
    router.get("/who")(who)
    running = await run(router)
    with caplog.at_level(logging.DEBUG):
        await running.client.get("/v1/who")
        await running.client.get("/v1/who", headers={"api-key": "sk-this-one-is-wrong-but-still-secret"})
    logged = "\n".join(str(vars(record)) for record in caplog.records)
    assert running.key not in logged
    assert "still-secret" not in logged


def test_authentication_may_be_off_only_on_loopback(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="loopback"):
        load_settings(data_dir=tmp_path, auth={"enabled": False}, server={"host": "0.0.0.0"})
