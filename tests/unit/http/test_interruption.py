import asyncio
from time import perf_counter

import pytest
from fastapi import Response

from smalt.core.errors import EngineFailed
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.routing import Router


class Work:
    """An unstreamed operation that tests hold up."""

    def __init__(self, swallow: type[Exception] | None = None) -> None:
        self.began = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.router = Router()
        self._swallow = swallow

        @self.router.post("/work", operation_id="work")
        async def work() -> Response:
            return await self.hang()

    async def hang(self) -> Response:
        """Work for ever."""
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            if self._swallow:
                raise self._swallow("cancelled somehow") from None
            raise
        return Json({})


async def test_work_is_cancelled_when_its_client_goes_away(run) -> None:
    work = Work()
    running = await run(work.router)
    exchange = running.by_hand("/v1/work")
    task = exchange.start(running.app)
    await work.began.wait()
    exchange.gone.set()
    async with asyncio.timeout(10):
        await task
    assert work.cancelled.is_set()
    assert exchange.status == 499


async def test_work_past_its_time_is_cancelled_and_told_so(run) -> None:
    work = Work()
    running = await run(work.router, limits={"request_timeout_seconds": 0.1})
    response = await running.client.post("/v1/work")
    assert (response.status_code, response.json()["error"]["type"]) == (504, "timeout")
    assert work.cancelled.is_set()


async def test_work_that_gets_on_has_its_whole_time_again(run) -> None:
    router = Router()

    @router.post("/work", operation_id="work")
    async def work(call: CurrentCall) -> Response:
        until = perf_counter() + 2.5
        while perf_counter() < until:
            call.progress()
            await asyncio.sleep(0.01)
        return Json({})

    running = await run(router, limits={"request_timeout_seconds": 1})
    assert (await running.client.post("/v1/work")).status_code == 200


async def test_work_that_got_on_and_then_hangs_is_cancelled(run) -> None:
    work = Work()
    router = Router()

    @router.post("/work", operation_id="work")
    async def got_on(call: CurrentCall) -> Response:
        await asyncio.sleep(0.05)
        call.progress()
        return await work.hang()

    running = await run(router, limits={"request_timeout_seconds": 2})
    assert (await running.client.post("/v1/work")).status_code == 504
    assert work.cancelled.is_set()


async def test_the_reason_survives_an_engine_that_makes_an_error_of_the_cancellation(run) -> None:
    work = Work(swallow=EngineFailed)
    running = await run(work.router, limits={"request_timeout_seconds": 0.1})
    assert (await running.client.post("/v1/work")).status_code == 504


async def test_work_is_ended_when_the_server_stops_and_its_grace_is_over(run) -> None:
    work = Work()
    running = await run(work.router)
    task = asyncio.create_task(running.client.post("/v1/work"))
    await work.began.wait()
    running.app.state.stopping.begin(grace_seconds=0.05)
    assert (await task).status_code == 503


async def test_a_cancellation_from_outside_stays_a_cancellation(run) -> None:
    work = Work()
    running = await run(work.router)
    task = running.by_hand("/v1/work").start(running.app)
    await work.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_is_left_running_after_a_request(run) -> None:
    router = Router()

    @router.post("/quick")
    async def quick() -> Response:
        return Json({})

    running = await run(router)
    before = len(asyncio.all_tasks())
    for _ in range(5):
        await running.client.post("/v1/quick")
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before
    assert not running.app.state.stopping._at_work


async def test_a_stopping_server_is_not_ready(run) -> None:
    running = await run()
    assert (await running.client.get("/ready")).status_code == 200
    running.app.state.stopping.begin(grace_seconds=5)
    response = await running.client.get("/ready")
    assert (response.status_code, response.json()["checks"]["server"]) == (503, "failing")
