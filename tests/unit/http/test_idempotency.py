"""Requests with an idempotency key are worked on once; the others do not know that there are any."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from fastapi import Response
from pydantic import BaseModel

from smalt.core.errors import InvalidRequest, RateLimited
from smalt.http.answers import Json
from smalt.http.body import Body
from smalt.http.dependencies import CurrentCall
from smalt.http.event_stream import EventStream
from smalt.http.routing import Router

Run = Callable[..., Awaitable[Any]]
KEY = {"Idempotency-Key": "once-and-no-more"}


class Asked(BaseModel):
    say: str = "hello"


class Workshop:
    """Operations that count how often they are done."""

    def __init__(self) -> None:
        self.count = 0
        self.failure: Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.router = Router()
        for path, operation in (("/work", self.work), ("/other", self.work), ("/stream", self.stream)):
            self.router.post(path, operation_id=path, mounts={"openai_v1", "azure_v1"})(operation)
        self.router.post("/blind", operation_id="blind")(self.blind)
        self.router.post("/form", operation_id="form", streamed=True)(self.form)
        self.router.post("/big", operation_id="big")(self.big)
        self.router.get("/work", operation_id="look")(self.blind)

    async def work(self, body: Asked, call: CurrentCall) -> Response:
        await self.go_on.wait()
        self.count += 1
        call.response_headers += [(b"x-told", b"yes"), (b"x-ratelimit-limit-requests", b"9")]
        if self.failure is not None:
            raise self.failure
        return Json({"said": body.say, "count": self.count})

    async def stream(self, body: Asked) -> Response:
        self.count += 1

        async def pieces() -> AsyncGenerator[bytes]:
            yield f"data: {self.count} {body.say}\n\n".encode()

        return EventStream(pieces())

    async def blind(self) -> Response:
        self.count += 1
        return Json({"count": self.count})

    async def form(self, body: Body) -> Response:
        self.count += 1
        names = [part.name async for part in body.form_parts()]
        return Json({"names": names, "count": self.count})

    async def big(self) -> Response:
        self.count += 1
        return Response(bytes(33 * 2**20), media_type="audio/wav")


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
async def client(run: Run, workshop: Workshop) -> httpx2.AsyncClient:
    return (await run(workshop.router)).client


async def post(client: httpx2.AsyncClient, path: str = "/v1/work", **options: Any) -> httpx2.Response:
    return await client.post(path, **{"json": {"say": "a"}, "headers": KEY, **options})


@pytest.mark.parametrize("mount", ["/v1", "/openai/v1"])
async def test_the_same_request_again_gets_the_answer_that_was_kept(client, workshop, mount):
    first, again = [await post(client, f"{mount}/work") for _ in range(2)]
    assert (first.status_code, first.json()) == (200, {"said": "a", "count": 1})
    assert (again.status_code, again.content) == (200, first.content)
    assert workshop.count == 1
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-told"] == "yes"
    assert "x-ratelimit-limit-requests" not in again.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


async def test_without_a_key_every_request_is_worked_on(client, workshop):
    for _ in range(2):
        await post(client, headers={})
    assert workshop.count == 2


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/work", {"say": "b"}), ("/v1/other", {"say": "a"}), ("/v1/work?more=1", {"say": "a"})]
)
async def test_a_key_cannot_be_used_for_another_request(client, workshop, path, body):
    await post(client)
    answer = await post(client, path, json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == ("Idempotency-Key", "idempotency_key_reused")
    assert workshop.count == 1


async def test_a_key_means_something_in_its_own_project_only(run, workshop):
    running = await run(workshop.router)
    _, secret = await running.app.state.keys.create("other", "blue")
    await post(running.client)
    answer = await post(running.client, json={"say": "mine"}, headers={**KEY, "api-key": secret})
    assert answer.json() == {"said": "mine", "count": 2}


async def test_a_second_request_waits_for_the_first(client, workshop):
    workshop.go_on.clear()
    both = [asyncio.create_task(post(client)) for _ in range(2)]
    await asyncio.sleep(0.2)
    assert not any(one.done() for one in both)
    workshop.go_on.set()
    answers = [await one for one in both]
    assert answers[0].content == answers[1].content
    assert workshop.count == 1
    assert sorted(one.headers.get("idempotent-replayed", "") for one in answers) == ["", "true"]


@pytest.mark.parametrize("failure", [RateLimited("Too fast."), RuntimeError("broken")])
async def test_a_failure_that_may_pass_is_not_kept(client, workshop, failure):
    workshop.failure = failure
    assert (await post(client)).status_code in (429, 500)
    workshop.failure = None
    assert (await post(client)).json()["count"] == 2
    # Nothing of the failure stands in the way of another request, either.
    assert (await post(client)).headers["idempotent-replayed"] == "true"


async def test_a_fault_of_the_request_is_kept(client, workshop):
    workshop.failure = InvalidRequest("No.", param="say")
    first, again = [await post(client) for _ in range(2)]
    assert first.status_code == again.status_code == 400
    assert first.json() == again.json()
    assert workshop.count == 1


async def test_a_stream_is_worked_on_each_time(client, workshop):
    for count in (1, 2):
        answer = await post(client, "/v1/stream")
        assert answer.text == f"data: {count} a\n\n"
    assert workshop.count == 2


async def test_an_answer_that_is_too_long_is_not_kept(client, workshop):
    for _ in range(2):
        assert len((await post(client, "/v1/big")).content) == 33 * 2**20
    assert workshop.count == 2


async def test_an_operation_without_a_body_is_done_once_too(client, workshop):
    answers = [await client.post("/v1/blind", headers=KEY) for _ in range(2)]
    assert [one.json() for one in answers] == [{"count": 1}] * 2
    assert workshop.count == 1


async def test_a_get_is_not_asked_for_its_key(client, workshop):
    answers = [await client.get("/v1/work", headers=KEY) for _ in range(2)]
    assert [one.json()["count"] for one in answers] == [1, 2]


def form(boundary: str, content: str = "content") -> dict[str, Any]:
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n']
    parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n{content}\r\n')
    headers = {**KEY, "content-type": f"multipart/form-data; boundary={boundary}"}
    return {"json": None, "content": "".join([*parts, f"--{boundary}--\r\n"]).encode(), "headers": headers}


async def test_a_form_is_the_same_whatever_stands_between_its_parts(client, workshop):
    first = await post(client, "/v1/form", **form("one"))
    again = await post(client, "/v1/form", **form("another"))
    assert first.json() == again.json() == {"names": ["model", "file"], "count": 1}
    assert (await post(client, "/v1/form", **form("one", "other"))).status_code == 422
    assert workshop.count == 1


@pytest.mark.parametrize("key", ["", " ", "k" * 256])
async def test_a_key_that_is_none_is_refused(client, workshop, key):
    answer = await post(client, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert workshop.count == 0


async def test_a_client_that_leaves_takes_its_claim_along(run, workshop):
    running = await run(workshop.router)
    workshop.go_on.clear()
    exchange = running.by_hand("/v1/work", b'{"say": "a"}')
    exchange.more_headers = [(b"idempotency-key", b"once-and-no-more")]
    task = exchange.start(running.app)
    await asyncio.sleep(0.1)
    exchange.gone.set()
    await asyncio.wait_for(task, 5)
    workshop.go_on.set()
    assert (await post(running.client)).json()["count"] == 1
