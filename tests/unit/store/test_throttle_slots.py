"""How calls are booked, so that no window has more than a connection's limit."""

import pytest
import sqlalchemy as sa

from smalt.store.tables import throttle_slots as table
from smalt.store.throttle_slots import Limit, ThrottleSlots, forget_slots

MINUTE = Limit(calls=2, window_ms=60_000, guard_ms=1000)


async def time_passes(database, seconds):
    """Move every slot into the past, as if time had gone by."""
    change = sa.update(table).values(starts_at_ms=table.c.starts_at_ms - round(seconds * 1000))
    await database.write(lambda connection: connection.execute(change))


async def ids(database):
    query = sa.select(table.c.id).order_by(table.c.starts_at_ms, table.c.id)
    return await database.read(lambda connection: list(connection.execute(query).scalars()))


@pytest.fixture
def slots(database):
    return ThrottleSlots(database, "conn_1", MINUTE)


async def booked(slots, *names):
    return [await slots.book(name) for name in names]


async def test_calls_within_the_limit_go_at_once_and_others_a_window_and_a_guard_later(slots, database):
    waits = await booked(slots, "a", "b", "c", "d", "e")
    assert waits[:2] == [0, 0]
    assert waits[2:] == [pytest.approx(61, abs=10), pytest.approx(61, abs=10), pytest.approx(122, abs=10)]
    assert await ids(database) == ["a", "b", "c", "d", "e"]


async def test_another_connection_has_a_limit_of_its_own(slots, database):
    await booked(slots, "a", "b", "c")
    assert await ThrottleSlots(database, "conn_2", MINUTE).book("x") == 0
    await forget_slots(database, "conn_1")
    assert await ids(database) == ["x"]


async def test_a_slot_that_is_given_back_is_the_next_ones(slots, database):
    *_, given_back = await booked(slots, "a", "b", "c")
    await slots.give_back("c")
    assert await slots.book("d") <= given_back
    assert await ids(database) == ["a", "b", "d"]


async def test_whoever_comes_after_those_who_wait_does_not_overtake_them(slots, database):
    *_, waiting = await booked(slots, "a", "b", "c")
    await slots.give_back("a")
    await slots.give_back("b")
    assert await slots.book("d") == pytest.approx(waiting, abs=10)
    assert await ids(database) == ["c", "d"]


async def test_slots_of_long_ago_are_swept(slots, database):
    await booked(slots, "a", "b")
    await time_passes(database, 130)
    assert await booked(slots, "c", "d") == [0, 0]
    assert await ids(database) == ["c", "d"]


async def test_calls_that_are_late_do_not_go_together_with_those_behind_them(slots, database):
    await booked(slots, "a", "b", "c", "d")
    await time_passes(database, 61 + 10)
    # The first two were held up for 71 s, so the time of the other two has come as well.
    waits = [await slots.settle(name) for name in ("a", "b", "c", "d")]
    assert [wait > 0 for wait in waits].count(False) == MINUTE.calls
    await time_passes(database, 61 + 1)
    again = [await slots.settle(name) for name, wait in zip("abcd", waits, strict=True) if wait > 0]
    assert again == [0, 0]


async def test_a_call_whose_time_has_come_goes(slots, database):
    await booked(slots, "a", "b", "c")
    await time_passes(database, 62)
    assert await slots.settle("c") == 0
    assert await slots.book("d") == 0
    assert await slots.book("e") == pytest.approx(61, abs=10)


async def test_of_two_that_settle_for_one_place_one_goes(database):
    slots = ThrottleSlots(database, "conn_1", Limit(calls=1, window_ms=60_000, guard_ms=0))
    await booked(slots, "a", "b", "c")
    await time_passes(database, 130)
    assert await slots.settle("b") > 0, "the call that waits behind it counts as made, until it says otherwise"
    assert await slots.settle("c") == 0
    await time_passes(database, 61)
    assert await slots.settle("b") == 0


async def test_a_clock_that_is_put_back_holds_nobody_up(slots, database):
    await booked(slots, "a", "b", "c")
    await time_passes(database, -86_400)
    assert await slots.book("d") == pytest.approx(61, abs=10), "the calls of the other time count as made now"
    assert await slots.book("e") == pytest.approx(61, abs=10)
