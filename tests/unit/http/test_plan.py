import asyncio
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.plan import Plan
from smalt.http.routing import Router


class Body(BaseModel):
    model: str


made: list[str] = []


async def base(request: Request) -> str:
    made.append("base")
    return request.url.path


async def one(base: Annotated[str, Depends(base)]) -> str:
    return f"one of {base}"


async def two(base: Annotated[str, Depends(base)], call: CurrentCall) -> str:
    return f"two of {base} on {call.mount}"


def planned(endpoint) -> Plan | None:
    router = Router()
    router.post("/plan/{name}" if "name" in endpoint.__annotations__ else "/plan")(endpoint)
    route = router.routes[0]
    assert isinstance(route, APIRoute)
    return Plan.of(route)


async def plain(
    body: Body, first: Annotated[str, Depends(one)], second: Annotated[str, Depends(two)], request: Request
) -> Response:
    return Json([body.model, first, second, request.method])


async def test_a_plan_gives_an_operation_all_it_asks_for_and_each_dependency_once(run) -> None:
    assert planned(plain) is not None
    router = Router()
    router.post("/plan")(plain)
    running = await run(router)
    made.clear()
    answers = await asyncio.gather(*(running.client.post("/v1/plan", json={"model": "m"}) for _ in range(3)))
    assert answers[0].json() == ["m", "one of /plan", "two of /plan on openai_v1", "POST"]
    assert made == ["base"] * 3


def test_operations_that_ask_for_more_are_left_to_fastapi() -> None:  # noqa: C901 - one function for each reason
    async def no_body(call: CurrentCall) -> Response: ...
    async def path(name: str, body: Body) -> Response: ...
    async def query(body: Body, after: Annotated[str | None, Query()] = None) -> Response: ...
    async def serialised(body: Body) -> dict[str, str]: ...
    async def optional(body: Body | None = None) -> Response: ...
    async def two_bodies(body: Body, other: Body) -> Response: ...
    def blocking(body: Body) -> Response: ...
    async def yielding():
        yield 1

    async def with_yield(body: Body, value: Annotated[int, Depends(yielding)]) -> Response: ...
    async def with_query_below(body: Body, value: Annotated[str, Depends(lambda after: after)]) -> Response: ...

    for endpoint in (no_body, path, query, serialised, optional, two_bodies, blocking, with_yield, with_query_below):
        assert planned(endpoint) is None, endpoint.__name__
