import multiprocessing
import time
from pathlib import Path

import openai
import pytest
from fastapi import Response
from pydantic import BaseModel

from smalt.http.answers import Json
from smalt.http.buckets import SLOTS, Buckets
from smalt.http.dependencies import CurrentCall
from smalt.http.limits import duration
from smalt.http.routing import Router


@pytest.fixture
def buckets(tmp_path: Path):
    with Buckets(tmp_path / "run" / "limits") as opened:
        yield opened


def test_a_bucket_takes_its_limit_and_then_asks_to_wait(buckets: Buckets) -> None:
    for left in (2, 1, 0):
        taken = buckets.take("a", (1, 3), (0, None))
        assert (taken.requests.remaining, taken.is_refused) == (left, False)
    taken = buckets.take("a", (1, 3), (0, None))
    assert taken.is_refused
    assert taken.requests.wait_seconds(1) == pytest.approx(20, abs=1)
    assert taken.requests.remaining == 0


def test_keys_do_not_share_a_bucket(buckets: Buckets) -> None:
    buckets.take("a", (1, 1), (0, None))
    assert not buckets.take("b", (1, 1), (0, None)).is_refused
    assert buckets.take("b", (1, 1), (0, None)).is_refused


def test_when_one_bucket_lacks_room_nothing_is_taken_from_the_other(buckets: Buckets) -> None:
    buckets.take("a", (1, 10), (90, 100))
    taken = buckets.take("a", (1, 10), (20, 100))
    assert taken.is_refused
    assert taken.tokens.wait_seconds(20) == pytest.approx(6, abs=0.5)
    assert taken.requests.remaining == 9


def test_a_bucket_leaks_evenly(buckets: Buckets) -> None:
    limit = 60_000
    buckets.take("a", (0, None), (limit, limit))
    time.sleep(0.2)
    assert buckets.take("a", (0, None), (0, limit)).tokens.remaining == pytest.approx(200, rel=0.5)


def test_an_estimate_is_set_right_in_both_directions(buckets: Buckets) -> None:
    buckets.take("a", (0, None), (50, 100))
    buckets.adjust_tokens("a", -40, 100)
    assert buckets.take("a", (0, None), (0, 100)).tokens.used == pytest.approx(10, abs=1)
    buckets.adjust_tokens("a", 500, 100)
    assert buckets.take("a", (0, None), (1, 100)).tokens.wait_seconds(1) > 200


def test_more_keys_than_slots_do_no_harm(buckets: Buckets) -> None:
    for number in range(SLOTS + 500):
        assert not buckets.take(f"key {number}", (1, 5), (0, None)).is_refused


def test_processes_share_what_a_key_may_take(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    path = tmp_path / "limits"
    Buckets(path).close()
    processes = [context.Process(target=_count_allowed, args=(path, 100)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    with Buckets(path) as opened:
        assert opened.take("shared", (0, 1000), (0, None)).requests.used == pytest.approx(200, abs=5)


def _count_allowed(path: Path, times: int) -> None:
    with Buckets(path) as opened:
        for _ in range(times):
            opened.take("shared", (1, 1000), (0, None))


class Body(BaseModel):
    model: str
    prompt: str = ""
    max_tokens: int | None = None


router = Router()


@router.post("/completions", operation_id="createCompletion", deployment=True, metered=True)
async def complete(body: Body, call: CurrentCall) -> Response:
    call.spend(body.model, prompt_tokens=10, completion_tokens=10)
    return Json({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body.model, "choices": []})


@router.post("/fails", operation_id="fails", metered=True)
async def fail(body: Body) -> Response:
    raise ZeroDivisionError


@router.get("/free")
async def free() -> Response:
    return Json({})


async def test_the_openai_mount_tells_limits_in_durations(run) -> None:
    running = await run(router, limits={"requests_per_minute": 600, "tokens_per_minute": 6000})
    headers = (await running.client.post("/v1/completions", json={"model": "m"})).headers
    assert headers["x-ratelimit-limit-requests"] == "600"
    assert headers["x-ratelimit-remaining-requests"] == "599"
    assert headers["x-ratelimit-reset-requests"].endswith("ms")
    assert headers["x-ratelimit-limit-tokens"] == "6000"


async def test_azure_mounts_tell_limits_in_whole_seconds(run) -> None:
    running = await run(router, limits={"requests_per_minute": 6})
    headers = (await running.client.post("/openai/v1/completions", json={"model": "m"})).headers
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("6", "5")
    assert headers["x-ratelimit-reset-requests"] == "10"
    assert "x-ratelimit-limit-tokens" not in headers


async def test_no_limit_no_headers_and_free_operations_have_none(run) -> None:
    running = await run(router)
    assert "ratelimit" not in str((await running.client.post("/v1/completions", json={"model": "m"})).headers)
    assert not (running.app.state.settings.data_dir / "run" / "limits").exists()


async def test_operations_that_are_not_metered_are_free(run) -> None:
    running = await run(router, limits={"requests_per_minute": 1})
    for _ in range(3):
        response = await running.client.get("/v1/free")
        assert response.status_code == 200
        assert "ratelimit" not in str(response.headers)


@pytest.mark.parametrize(
    ("prefix", "code", "phrase"),
    [("/v1", "rate_limit_exceeded", "Please try again in"), ("/openai/v1", "429", "Please retry after")],
)
async def test_too_many_requests_are_told_when_to_return(run, prefix: str, code: str, phrase: str) -> None:
    running = await run(router, limits={"requests_per_minute": 2})
    for _ in range(2):
        assert (await running.client.post(f"{prefix}/completions", json={"model": "m"})).status_code == 200
    response = await running.client.post(f"{prefix}/completions", json={"model": "m"})
    assert response.status_code == 429
    assert 28 <= int(response.headers["retry-after"]) <= 30
    assert 28_000 <= int(response.headers["retry-after-ms"]) <= 30_000
    assert response.json()["error"]["code"] == code
    assert phrase in response.json()["error"]["message"]


async def test_too_many_tokens_are_an_error_of_type_tokens(run) -> None:
    running = await run(router, limits={"tokens_per_minute": 100})
    ask = {"model": "m", "max_tokens": 60}
    await running.client.post("/v1/completions", json={**ask, "max_tokens": 85})
    for _ in range(4):
        response = await running.client.post("/v1/completions", json=ask)
    assert response.status_code == 429
    assert response.json()["error"]["type"] == "tokens"
    assert "tokens per min (TPM)" in response.json()["error"]["message"]


async def test_a_request_that_can_never_fit_is_not_worth_a_retry(run) -> None:
    running = await run(router, limits={"tokens_per_minute": 100})
    response = await running.client.post("/v1/completions", json={"model": "m", "max_tokens": 1000})
    assert response.status_code == 429
    assert response.headers["x-should-retry"] == "false"
    assert "retry-after" not in response.headers
    assert "Request too large" in response.json()["error"]["message"]


async def test_the_real_usage_replaces_the_estimate(run) -> None:
    running = await run(router, limits={"tokens_per_minute": 1000})
    await running.client.post("/v1/completions", json={"model": "m", "max_tokens": 900})
    response = await running.client.post("/v1/completions", json={"model": "m", "max_tokens": 900})
    assert response.status_code == 200


async def test_a_request_that_failed_gives_its_tokens_back(run) -> None:
    running = await run(router, limits={"tokens_per_minute": 1000})
    for _ in range(3):
        assert (await running.client.post("/v1/fails", json={"model": "m", "max_tokens": 900})).status_code == 500
        assert (await running.client.post("/v1/completions", json={"model": 3, "max_tokens": 900})).status_code == 400


async def test_a_picture_does_not_count_by_its_bytes(run) -> None:
    running = await run(router, limits={"tokens_per_minute": 1000})
    response = await running.client.post("/v1/completions", json={"model": "m", "prompt": "A" * 1_000_000})
    assert response.status_code == 200


async def test_a_deeply_nested_body_is_counted_too(run) -> None:
    running = await run(router, limits={"tokens_per_minute": 1_000_000})
    body = b'{"model": "m", "prompt": "%s", "x": %s1%s}' % (b"word " * 20_000, b"[" * 1000, b"]" * 1000)
    response = await running.client.post("/v1/completions", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200


async def test_a_keys_own_limit_wins(run) -> None:
    running = await run(router, limits={"requests_per_minute": 1})
    _, secret = await running.app.state.keys.create("big", "default", requests_per_minute=100)
    for _ in range(3):
        response = await running.client.post("/v1/completions", json={"model": "m"}, headers={"api-key": secret})
        assert response.status_code == 200
    assert response.headers["x-ratelimit-limit-requests"] == "100"


async def test_the_sdk_sees_a_rate_limit_error(run) -> None:
    running = await run(router, limits={"requests_per_minute": 1})
    sdk = openai.AsyncOpenAI(
        base_url="http://localhost/v1", api_key=running.key, http_client=running.client, max_retries=0
    )
    await sdk.completions.create(model="m", prompt="x")
    with pytest.raises(openai.RateLimitError) as caught:
        await sdk.completions.create(model="m", prompt="x")
    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.006, "6ms"), (0.9999, "1s"), (1.5, "1.5s"), (8.64, "8.64s"), (59.9999, "1m0s"), (90, "1m30s")],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
