"""Sandboxes are kept by name while there is room, belong to one caller at a time, and stand still in between."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from smalt.sandbox import pool as pool_module
from smalt.sandbox.limits import Limits
from smalt.sandbox.pool import Held, Pool

LIMITS = Limits(seconds=20)


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    made = Pool(2)
    yield made
    await made.close()


async def run(pool: Pool, name: str, code: str) -> tuple[bool, str]:
    async with pool.hold(name, LIMITS) as held:
        is_new = held.is_new
        return is_new, (await held.run(code)).log


async def test_a_name_finds_its_sandbox_again(pool: Pool) -> None:
    assert await run(pool, "a", "x = 1") == (True, "")
    assert await run(pool, "b", "'x' in globals()") == (True, "False\n")
    assert await run(pool, "a", "x") == (False, "1\n")


async def test_the_one_that_was_not_used_for_longest_makes_room(pool: Pool) -> None:
    for name in ("a", "b", "a", "c"):
        await run(pool, name, "x = 1")
    assert await run(pool, "a", "x") == (False, "1\n")
    assert (await run(pool, "b", "1"))[0]


async def test_one_that_nobody_comes_back_to_ends(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    await run(pool, "a", "x = 1")
    monkeypatch.setattr(pool_module, "IDLE_SECONDS", 0.0)
    await run(pool, "b", "1")
    assert set(pool._held) == {"b"}


async def test_callers_of_one_sandbox_wait_for_each_other(pool: Pool) -> None:
    order: list[str] = []

    async def work(name: str) -> None:
        async with pool.hold("a", LIMITS) as held:
            order.append(f"{name} begins")
            await held.run("import time; time.sleep(0.1)")
            order.append(f"{name} ends")

    await asyncio.gather(work("one"), work("two"))
    assert order == ["one begins", "one ends", "two begins", "two ends"]


async def test_nothing_goes_on_between_calls(pool: Pool) -> None:
    counting = "import threading\ncount = 0\ndef work():\n  global count\n  while True: count += 1\n"
    await run(pool, "a", counting + "threading.Thread(target=work, daemon=True).start()\nimport time; time.sleep(0.1)")
    code = "import time\nbefore = count; clock = time.process_time(); time.process_time()"
    _, before = await run(pool, "a", code)
    await asyncio.sleep(1)
    _, after = await run(pool, "a", "time.process_time()")
    assert float(after) - float(before) < 0.5


async def test_when_all_are_busy_the_next_waits_and_is_refused_in_the_end(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "ROOM_SECONDS", 0.2)
    async with pool.hold("a", LIMITS), pool.hold("b", LIMITS):
        with pytest.raises(pool_module.Unavailable, match=r"code_interpreter\.sandboxes"):
            await run(pool, "c", "1")
    assert await run(pool, "c", "1") == (True, "1\n")


async def test_one_that_is_waited_for_comes_when_another_is_free(pool: Pool) -> None:
    async with pool.hold("a", LIMITS):
        async with pool.hold("b", LIMITS):
            waiting = asyncio.create_task(run(pool, "c", "1"))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        assert await waiting == (True, "1\n")


async def test_a_sandbox_that_was_ended_begins_anew(pool: Pool) -> None:
    await run(pool, "a", "x = 1")
    await pool.end("a")
    assert await run(pool, "a", "'x' in globals()") == (True, "False\n")
    await run(pool, "a", "import os; os._exit(1)")
    assert await run(pool, "a", "1") == (True, "1\n")


async def test_it_knows_which_files_have_changed(pool: Pool) -> None:
    async with pool.hold("a", LIMITS) as held:
        for name in ("same", "changed", "removed"):
            await held.write(name, name.encode(), is_first=True)
            await held.written(name, f"digest of {name}")
        await held.run("open('changed', 'a').write('!')\nopen('new', 'w').write('n')\nimport os; os.remove('removed')")
        changed, gone = await held.changes()
        assert (sorted(file.path for file in changed), gone) == (["changed", "new"], ["removed"])
        for file in changed:
            await held.note(file, f"digest of {file.path}")
        assert await held.changes() == ([], [])
        assert dict(held.files) == {name: f"digest of {name}" for name in ("same", "changed", "new")}
    async with pool.hold("a", LIMITS) as held:
        assert set(held.files) == {"same", "changed", "new"}


async def test_nothing_is_left_in_the_pool_of_a_sandbox_that_never_ran(pool: Pool) -> None:
    async with pool.hold("a", LIMITS):
        pass
    held: dict[str, Held] = pool._held
    assert held == {}
