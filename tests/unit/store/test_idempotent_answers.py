"""Answers are kept for a day under their keys, and one worker at a time has the claim to a key."""

import asyncio
import threading

import pytest
import sqlalchemy as sa

from smalt.store.database import Database
from smalt.store.idempotent_answers import (
    CLAIMED_SECONDS,
    KEPT_SECONDS,
    Claim,
    ExpiredIdempotentAnswers,
    IdempotentAnswers,
    KeptAnswer,
)
from smalt.store.tables import idempotent_answers

ANSWER = KeptAnswer("digest", 200, [("content-type", "application/json")], b"{}\x00")


class Clock:
    """A clock that tests set."""

    at = 1_000

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answers(database: Database, clock: Clock) -> IdempotentAnswers:
    return IdempotentAnswers(database, clock=clock)


async def claimed(answers: IdempotentAnswers, key: str = "key") -> Claim:
    claim = await answers.claim("green", key)
    assert isinstance(claim, Claim)
    return claim


async def rows(database: Database) -> int:
    query = sa.select(sa.func.count()).select_from(idempotent_answers)
    return await database.read(lambda connection: connection.execute(query).scalar_one())


async def test_of_many_that_ask_at_once_one_gets_the_claim(answers: IdempotentAnswers):
    turns = await asyncio.gather(*(answers.claim("green", "key") for _ in range(20)))
    assert [type(turn) for turn in turns if turn is not None] == [Claim]


async def test_an_answer_is_kept_for_a_day_in_its_project(answers: IdempotentAnswers, clock: Clock):
    await answers.keep(await claimed(answers), ANSWER)
    assert await answers.claim("green", "key") == ANSWER
    assert isinstance(await answers.claim("blue", "key"), Claim)
    clock.at += KEPT_SECONDS - 1
    assert await answers.claim("green", "key") == ANSWER
    clock.at += 1
    assert isinstance(await answers.claim("green", "key"), Claim)


async def test_a_claim_that_was_given_back_is_free(answers: IdempotentAnswers):
    claim = await claimed(answers)
    assert await answers.claim("green", "key") is None
    await answers.release(claim)
    await claimed(answers)


async def test_a_claim_lapses_unless_it_is_put_off(answers: IdempotentAnswers, clock: Clock):
    first = await claimed(answers)
    clock.at += CLAIMED_SECONDS - 1
    await answers.put_off(first)
    clock.at += CLAIMED_SECONDS - 1
    assert await answers.claim("green", "key") is None
    clock.at += 1
    second = await claimed(answers)
    # The first was only slow; the claim is no longer its own.
    await answers.keep(first, ANSWER)
    await answers.release(first)
    assert await answers.claim("green", "key") is None
    await answers.keep(second, ANSWER)
    assert await answers.claim("green", "key") == ANSWER


async def test_what_has_expired_is_forgotten(database: Database, answers: IdempotentAnswers, clock: Clock):
    for number in range(150):
        await claimed(answers, f"key {number}")
    clock.at += 10
    await answers.keep(await claimed(answers, "later"), ANSWER)
    clock.at += KEPT_SECONDS - 10
    await ExpiredIdempotentAnswers(database, clock=clock).sweep()
    assert await rows(database) == 1
    assert await answers.claim("green", "later") == ANSWER


async def test_a_claim_outlives_a_database_that_was_busy_for_longer_than_it_holds(
    answers: IdempotentAnswers, clock: Clock, database: Database
):
    claim = await claimed(answers)
    is_free = threading.Event()
    busy = asyncio.create_task(database.write(lambda _: is_free.wait(30)))
    await asyncio.sleep(0)
    putting_off = asyncio.create_task(answers.put_off(claim))
    await asyncio.sleep(0)
    clock.at += CLAIMED_SECONDS + 1
    asking = asyncio.create_task(answers.claim("green", "key"))
    await asyncio.sleep(0.05)
    is_free.set()
    await asyncio.gather(busy, putting_off)
    assert await asking is None
