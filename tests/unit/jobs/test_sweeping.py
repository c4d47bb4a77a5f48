"""Sweeps begin when they are due, once over all runners, and wait for their turn when they leave something over."""

import asyncio

import pytest
import sqlalchemy as sa

from smalt.core.clock import now
from smalt.jobs.sweeping import Schedule, Sweeper, next_at, plan
from smalt.store.database import Database
from smalt.store.tables import job_sweeps


@pytest.fixture
async def database(store_url):
    database = Database.open(store_url)
    yield database
    await database.close()


class Counting:
    seconds = 10.0

    def __init__(self, name="dust"):
        self.name = name
        self.count = 0
        self.done = asyncio.Event()

    async def sweep(self):
        self.count += 1
        self.done.set()


class Failing(Counting):
    async def sweep(self):
        await super().sweep()
        raise OSError("no broom")


def schedule(due, name="dust"):
    return Schedule(name, 10.0, lambda _connection: due)


async def began(database, name, at):
    await database.write(lambda connection: connection.execute(sa.insert(job_sweeps).values(name=name, began_at=at)))


async def test_a_sweep_that_nothing_needs_does_not_begin(database):
    sweep = Counting()
    sweeper = Sweeper(database, [(schedule(None), sweep), (schedule(now() + 100, "later"), Counting("later"))])
    await sweeper.look()
    assert await database.read(lambda connection: connection.execute(sa.select(job_sweeps)).all()) == []


async def test_two_runners_that_look_at_once_sweep_once(database):
    first, second = Counting(), Counting()
    due = now()
    await asyncio.gather(
        *(Sweeper(database, [(schedule(due), sweep)]).look() for sweep in (first, second)), return_exceptions=False
    )
    await asyncio.sleep(0.05)
    assert first.count + second.count == 1


async def test_what_becomes_due_after_a_sweep_is_swept_at_once(database):
    await began(database, "dust", 1000)
    assert await database.read(lambda c: next_at(c, [schedule(1001)])) == 1001


async def test_what_a_sweep_left_over_waits_for_its_turn(database):
    await began(database, "dust", 1000)
    assert await database.read(lambda c: next_at(c, [schedule(900)])) == 1010


async def test_a_sweep_without_a_schedule_is_due_again_and_again(database):
    await began(database, "dust", 1000)
    planned = await database.read(lambda c: plan(c, [Schedule("dust", 10.0)]))
    assert [(one.name, one.at) for one in planned] == [("dust", 1010)]


async def test_a_sweep_that_fails_is_logged_and_tried_again(database, caplog):
    failing = Failing()
    sweeper = Sweeper(database, [(schedule(now() - 1), failing)])
    await sweeper.look()
    await failing.done.wait()
    await sweeper.shut_down()
    assert "a sweep failed" in caplog.text
    assert await database.read(lambda c: next_at(c, [schedule(now() - 100)])) >= now()
