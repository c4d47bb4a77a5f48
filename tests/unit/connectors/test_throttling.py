"""Holding calls back: over two real processes, through cancellation, and as the settings want it."""

import asyncio
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa
from aiohttp import web

from loopback import web_service
from smalt.connectors.connections.target import local_target
from smalt.connectors.definitions.registry import connector
from smalt.connectors.definitions.vocabulary import Throttle
from smalt.connectors.throttling import Throttled, throttled
from smalt.core.settings import ConnectorSettings
from smalt.store.database import Database
from smalt.store.migrating import migrate
from smalt.store.tables import throttle_slots

CALLS, SECONDS, EACH = 10, 1, 15
RUN = """
import asyncio, sys
import aiohttp
from smalt.connectors.definitions.vocabulary import Throttle
from smalt.connectors.throttling import Throttled
from smalt.store.database import Database
path, url, calls, seconds, each = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
async def main():
    database = Database.open(path)
    turns = Throttled(database, "conn_shared", Throttle(calls, seconds))
    async with aiohttp.ClientSession() as session:
        async def call():
            await turns.turn()
            async with session.post(url) as answer:
                assert answer.status == 200
        await asyncio.gather(*(call() for _ in range(each)))
    await database.close()
asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "smalt.db"
    migrate(path)
    return path


@pytest.fixture
async def database(path):
    database = Database.open(path)
    yield database
    await database.close()


async def slot_count(database):
    return await database.read(
        lambda connection: connection.scalar(sa.select(sa.func.count()).select_from(throttle_slots))
    )


async def until_there_are(count, database):
    while True:
        if await slot_count(database) >= count:
            return
        await asyncio.sleep(0.001)


def test_two_processes_together_never_go_over_the_limit_in_any_window(path):
    arrivals = []

    async def answer(request):
        arrivals.append(time.monotonic())
        return web.Response()

    with web_service(answer) as url:
        command = [sys.executable, "-c", RUN, str(path), url, str(CALLS), str(SECONDS), str(EACH)]
        runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for run in runs:
            assert run.communicate()[1] == ""
            assert run.returncode == 0
    assert len(arrivals) == 2 * EACH, "calls wait; none fails, and none is left out"
    arrivals.sort()
    assert min(later - earlier for earlier, later in zip(arrivals, arrivals[CALLS:], strict=False)) > SECONDS


async def test_a_wait_that_is_cancelled_gives_its_place_back(database):
    turns = Throttled(database, "conn_1", Throttle(1, 60))
    await turns.turn()
    waiting = asyncio.create_task(turns.turn())
    await until_there_are(2, database)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await slot_count(database) == 1


@pytest.mark.parametrize("steps", range(4))
async def test_a_booking_that_is_cancelled_while_it_is_made_leaves_nothing(database, steps):
    booking = asyncio.create_task(Throttled(database, "conn_1", Throttle(1, 60)).turn())
    for _ in range(steps):
        await asyncio.sleep(0)
    booking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await booking
    assert await slot_count(database) == 0


async def test_calls_that_wait_go_in_the_order_in_which_they_came(database):
    turns = Throttled(database, "conn_1", Throttle(1, 1), guard_seconds=0.1)
    gone = []

    async def call(number):
        await turns.turn()
        gone.append(number)

    waiting = []
    for number in range(4):
        waiting.append(asyncio.create_task(call(number)))
        await until_there_are(number + 1, database)
    await asyncio.gather(*waiting)
    assert gone == [0, 1, 2, 3]


async def test_the_settings_lift_the_throttle_or_set_its_limit(database):
    documented = Throttle(1, 60)
    assert throttled(ConnectorSettings(throttle=False), database, "conn_1", documented) is None
    turns = throttled(ConnectorSettings(calls_per_minute=3), database, "conn_1", documented)
    assert turns is not None
    for _ in range(3):
        await turns.turn()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(turns.turn(), 0.05)
    assert await slot_count(database) == 3


async def test_a_connector_s_calls_to_the_local_server_do_not_use_up_another_s_limit(database):
    def turns(name):
        target = local_target(connector(name), "http://127.0.0.1:1", None)
        return throttled(ConnectorSettings(), database, target.limited_as, Throttle(1, 60))

    await turns("azure-openai").turn()
    await turns("openai-gpt").turn()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(turns("openai-gpt").turn(), 0.05)
