"""Rows are worked on some at a time, under the throttle, and calls that are out come home."""

import asyncio

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cloud_stand_in import BREAK, Somewhere, Turns, failed, standing_in, told
from smalt.connectors.retrying import Retries
from smalt.connectors.runs.each import Reach, work_on_rows
from smalt.connectors.runs.steps import Step

STEP = Step(
    connector="openai-gpt", action="create_completion", given={"model": "m"}, mapping={"prompt": "On {{subject}}"}
)
QUICK = Retries(attempts=3, first_seconds=0.01)


def completion(received):
    return told({"id": "c", "object": "text_completion", "choices": [{"text": received.json["prompt"].upper()}]})


def texts(rows):
    return [row.result and orjson.loads(row.result)["first_completion"] for row in rows]


async def work(service, journal, *, is_smalt=False, throttle=None, concurrency=2, policy=QUICK):
    async with aiohttp.ClientSession() as session:
        reach = Reach(session, Somewhere(service.url, is_smalt), throttle, policy)
        await work_on_rows(STEP, reach, journal, concurrency)


async def test_every_row_gets_the_answer_to_its_own_call(kept):
    subjects = [f"subject {number}" for number in range(30)]
    journal = await kept.add(*subjects, fault="It is wrong.")
    async with standing_in(answer=completion) as service:
        await work(service, journal, concurrency=7)
    rows = await kept.rows()
    assert texts(rows) == [*(f"ON {subject.upper()}" for subject in subjects), None]
    assert (rows[-1].status, rows[-1].error) == ("failed", "It is wrong.")
    assert len(service.received) == 30


async def test_every_attempt_waits_for_its_turn(kept):
    turns = Turns()
    async with standing_in(failed(503), answer=completion) as service:
        await work(service, await kept.add("a", "b"), throttle=turns)
    assert await kept.statuses() == ["succeeded", "succeeded"]
    assert turns.taken == len(service.received) == 3


async def test_a_row_that_waits_for_its_turn_is_not_in_doubt(kept):
    class Never:
        async def turn(self):
            waiting.set()
            await asyncio.Event().wait()

    waiting = asyncio.Event()
    journal = await kept.add("a")
    async with standing_in(answer=completion) as service:
        working = asyncio.create_task(work(service, journal, throttle=Never()))
        await waiting.wait()
        assert await kept.statuses() == ["pending"]
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert await kept.statuses() == ["pending"]
    assert service.received == []


async def test_an_error_belongs_to_its_row_and_the_others_go_on(kept):
    async with standing_in(failed(400, "Not that."), answer=completion) as service:
        await work(service, await kept.add("a", "b"), concurrency=1)
    first, second = await kept.rows()
    assert (first.status, first.status_code, first.error) == ("failed", 400, "Not that.")
    assert second.status == "succeeded"


@pytest.mark.parametrize(("is_smalt", "status", "calls"), [(True, "succeeded", 2), (False, "interrupted", 1)])
async def test_a_connection_that_breaks_interrupts_a_row_unless_a_smalt_is_there(kept, is_smalt, status, calls):
    async with standing_in(BREAK, answer=completion) as service:
        await work(service, await kept.add("a"), is_smalt=is_smalt)
    assert await kept.statuses() == [status]
    assert len(service.received) == calls
    keys = {received.headers.get("idempotency-key") for received in service.received}
    assert keys == ({"run_1-0-0"} if is_smalt else {None})


async def test_a_smalt_that_still_works_on_an_earlier_call_is_asked_again(kept):
    busy = told({"error": {"message": "Still.", "code": "idempotency_key_in_use"}}, 409, Retry_After="0.01")
    async with standing_in(busy, busy, answer=completion) as service:
        await work(service, await kept.add("a"), is_smalt=True)
    assert await kept.statuses() == ["succeeded"]
    assert len(service.received) == 3


async def test_who_is_told_to_stop_lets_calls_come_home_and_makes_no_more(kept):
    home, out, asked = asyncio.Event(), asyncio.Event(), []

    async def answer(request):
        asked.append(await request.json())
        out.set()
        await home.wait()
        return web.json_response({"id": "c", "choices": [{"text": "home"}]})

    journal = await kept.add("a", "b")
    async with TestServer(application(answer)) as server, aiohttp.ClientSession() as session:
        reach = Reach(session, Somewhere(str(server.make_url(""))), policy=QUICK)
        working = asyncio.create_task(work_on_rows(STEP, reach, journal, 1))
        await out.wait()
        for _ in range(3):
            working.cancel()
            await asyncio.sleep(0.02)
        home.set()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert await kept.statuses() == ["succeeded", "pending"]
    assert len(asked) == 1


def application(handler):
    made = web.Application()
    made.router.add_route("*", "/{path:.*}", handler)
    return made
