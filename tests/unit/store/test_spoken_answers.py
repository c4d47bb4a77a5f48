"""What was said in a spoken answer is remembered for a while, for its project alone."""

import pytest
import sqlalchemy as sa

from smalt.store.database import Database
from smalt.store.spoken_answers import ExpiredSpokenAnswers, SpokenAnswers, spoken_answer_id
from smalt.store.tables import spoken_answers


class Clock:
    """A clock that tests set."""

    at = 1_000

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_an_answer_is_known_until_it_expires(database: Database, clock: Clock):
    spoken = SpokenAnswers(database, seconds=60, clock=clock)
    first, second = spoken_answer_id(), spoken_answer_id()
    assert await spoken.add("green", first, "The sea.") == 1_060
    assert await spoken.transcripts("green", {first, second}) == {first: "The sea."}
    assert await spoken.transcripts("blue", {first}) == {}
    clock.at = 1_060
    assert await spoken.transcripts("green", {first}) == {}


async def test_more_answers_may_be_named_than_a_statement_takes(database: Database, clock: Clock):
    spoken = SpokenAnswers(database, seconds=60, clock=clock)
    await spoken.add("green", "audio_7", "The sea.")
    ids = [f"audio_{number}" for number in range(70_000)]
    assert await spoken.transcripts("green", ids) == {"audio_7": "The sea."}


async def test_the_sweep_forgets_what_has_expired(database: Database, clock: Clock):
    spoken = SpokenAnswers(database, seconds=60, clock=clock)
    for number in range(3):
        clock.at = 1_000 + number
        await spoken.add("green", f"audio_{number}", "Words")
    clock.at = 1_061
    await ExpiredSpokenAnswers(database, clock=clock).sweep()
    query = sa.select(spoken_answers.c.id)
    assert await database.read(lambda connection: list(connection.execute(query).scalars())) == ["audio_2"]
