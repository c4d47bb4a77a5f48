"""A runner is taken for dead when its process has died here, or when it has been silent for long enough."""

import pytest
import sqlalchemy as sa

from smalt.jobs.registry import Registry, RunnerLock, is_dead
from smalt.store.database import Database
from smalt.store.tables import job_runners


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
async def database(store_url):
    database = Database.open(store_url)
    yield database
    await database.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def registry(database, tmp_path, clock):
    return Registry(database, tmp_path / "runners", "me", 60.0, clock)


async def appear(database, runner, heard_at):
    row = {"id": runner, "started_at": 1, "heard_at": heard_at}
    await database.write(lambda connection: connection.execute(sa.insert(job_runners).values(row)))


async def show_life(database, runner, heard_at):
    statement = sa.update(job_runners).where(job_runners.c.id == runner).values(heard_at=heard_at)
    await database.write(lambda connection: connection.execute(statement))


async def test_a_runner_that_shows_life_is_alive_whatever_its_clock_says(database, registry, clock):
    await registry.enter()
    await appear(database, "other", 5)
    for moment in range(10):
        clock.seconds += 20
        await show_life(database, "other", 6 + moment)
        assert await registry.dead() == []


async def test_a_runner_that_is_silent_for_long_enough_is_dead(database, registry, clock):
    await registry.enter()
    await appear(database, "other", 5)
    for _ in range(4):
        assert await registry.dead() == []
        clock.seconds += 20
    assert await registry.dead() == ["other"]
    await registry.remove("other")
    assert await registry.alive() == {"me"}


async def test_who_did_not_look_does_not_say_that_others_were_silent(database, registry, clock):
    await registry.enter()
    await appear(database, "other", 5)
    assert await registry.dead() == []
    clock.seconds += 1000
    assert await registry.dead() == []


async def test_a_runner_whose_process_died_on_this_machine_is_dead_at_once(database, registry, tmp_path):
    await registry.enter()
    await appear(database, "other", 5)
    lock = RunnerLock(tmp_path / "runners", "other")
    assert await registry.dead() == []
    lock.release()
    (tmp_path / "runners" / "other").touch()
    assert await registry.dead() == ["other"]


async def test_a_runner_that_was_struck_off_is_told_so(registry):
    await registry.enter()
    assert await registry.beat()
    await registry.remove("me")
    assert not await registry.beat()


def test_a_runner_of_another_machine_is_not_known_to_be_dead(tmp_path):
    assert not is_dead(tmp_path, "far")
