"""How long a worker that fails rests before it is started again."""

import pytest

from smalt.core.errors import EngineFailed, Unavailable
from smalt.engines.host.backoff import Backoff


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backoff(clock: Clock) -> Backoff:
    return Backoff(first_seconds=1.0, most_seconds=8.0, clock=clock)


def rest_of(backoff: Backoff, clock: Clock) -> float:
    """Seconds until the key may be started again."""
    began = clock.seconds
    while True:
        try:
            backoff.check("key")
        except (EngineFailed, Unavailable):
            clock.seconds += 0.5
        else:
            return clock.seconds - began


def test_a_key_that_never_failed_does_not_rest(backoff: Backoff, clock: Clock):
    assert rest_of(backoff, clock) == 0


def test_every_failed_start_doubles_the_rest_up_to_a_limit(backoff: Backoff, clock: Clock):
    rests = []
    for _ in range(6):
        backoff.blame("key", EngineFailed("No."), had_started=False)
        rests.append(rest_of(backoff, clock))
    assert rests == [1, 2, 4, 8, 8, 8]


def test_a_worker_that_had_served_is_replaced_at_once_the_first_time(backoff: Backoff, clock: Clock):
    rests = []
    for _ in range(3):
        backoff.blame("key", EngineFailed("It died."), had_started=True)
        rests.append(rest_of(backoff, clock))
    assert rests == [0, 1, 2]


def test_a_forgiven_key_starts_afresh(backoff: Backoff, clock: Clock):
    for _ in range(5):
        backoff.blame("key", EngineFailed("No."), had_started=False)
    backoff.forgive("key")
    assert backoff.count("key") == 0
    assert rest_of(backoff, clock) == 0


def test_while_it_rests_the_last_failure_is_told_with_the_time_left(backoff: Backoff):
    backoff.blame("key", EngineFailed("The disk is upside down."), had_started=False)
    with pytest.raises(EngineFailed, match=r"(?s)upside down.*failed 1 times.*in 1\.0 seconds"):
        backoff.check("key")


def test_while_a_worker_that_had_served_rests_its_clients_are_told_when_to_come_again(backoff: Backoff):
    for _ in range(3):
        backoff.blame("key", EngineFailed("It was killed."), had_started=True)
    with pytest.raises(Unavailable, match=r"(?s)was killed.*failed 3 times.*in 2\.0 seconds") as refusal:
        backoff.check("key")
    assert refusal.value.headers == {"Retry-After": "2"}


def test_one_key_does_not_rest_for_another(backoff: Backoff):
    backoff.blame("key", EngineFailed("No."), had_started=False)
    backoff.check("other")
