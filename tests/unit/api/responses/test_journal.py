"""A journal gives its one reader every event, the last only when the response is kept."""

import asyncio
from contextlib import aclosing
from typing import Any

from smalt.api.responses.journal import Journal

Json = dict[str, Any]


def event(number: int, kind: str = "response.output_text.delta") -> Json:
    return {"type": kind, "sequence_number": number}


async def read(journal: Journal) -> list[list[int]]:
    return [[event["sequence_number"] for event in batch] async for batch in journal.batches()]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_there_comes_at_once_and_together():
    journal = Journal()
    for number in range(3):
        journal.add(event(number))
    journal.close()
    assert await read(journal) == [[0, 1, 2]]
    assert journal.next_number == 3


async def test_the_last_event_waits_until_the_journal_is_closed():
    journal = Journal()
    reading = asyncio.create_task(read(journal))
    journal.add(event(0))
    journal.add(event(1, "response.completed"))
    await settle()
    assert not reading.done()
    journal.close()
    assert await reading == [[0], [1]]


async def test_a_held_journal_gives_nothing_before_it_is_released():
    journal = Journal(is_held=True)
    journal.add(event(0))
    reading = asyncio.create_task(anext(journal.batches()))
    await settle()
    assert not reading.done()
    journal.release()
    assert len(await reading) == 1


async def test_a_journal_that_was_never_released_ends_without_events():
    journal = Journal(is_held=True)
    journal.add(event(0))
    journal.close()
    assert await read(journal) == []


async def test_what_comes_after_the_reader_left_is_forgotten():
    journal = Journal()
    journal.add(event(0))
    async with aclosing(journal.batches()) as batches:
        await anext(batches)
    journal.add(event(1))
    assert journal.next_number == 2
    journal.close()
    assert await read(journal) == []
