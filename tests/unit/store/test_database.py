"""What reads and writes promise."""

import asyncio
import sqlite3
import threading
import time

import pytest
import sqlalchemy as sa

from postgres import on_postgres, on_sqlite
from smalt.core.errors import Unavailable
from smalt.store.connecting import database_url
from smalt.store.database import Database
from smalt.store.tables import revisions


def put(name, number=1):
    return lambda connection: connection.execute(sa.insert(revisions).values(name=name, number=number))


def names(connection):
    return set(connection.execute(sa.select(revisions.c.name)).scalars())


async def test_a_write_is_seen_by_the_next_read(database):
    await database.write(put("a"))
    assert await database.read(names) == {"a"}


async def test_a_write_returns_what_its_work_returns(database):
    assert await database.write(lambda _: 7) == 7


async def test_a_failed_write_undoes_itself_and_nobody_else(database):
    def fail(connection):
        put("bad")(connection)
        raise ValueError("no")

    results = await asyncio.gather(
        database.write(put("first")), database.write(fail), database.write(put("last")), return_exceptions=True
    )
    assert isinstance(results[1], ValueError)
    assert await database.read(names) == {"first", "last"}


async def test_a_violated_constraint_is_raised_to_its_writer_only(database):
    results = await asyncio.gather(
        database.write(put("a")), database.write(put("a")), database.write(put("b")), return_exceptions=True
    )
    assert isinstance(results[1], sa.exc.IntegrityError)
    assert await database.read(names) == {"a", "b"}


@on_sqlite
async def test_many_waiting_writes_share_a_commit(database, database_path):
    release = threading.Event()
    first = asyncio.ensure_future(database.write(lambda _: release.wait(10)))
    others = [asyncio.ensure_future(database.write(put(f"n{number}"))) for number in range(50)]
    await asyncio.sleep(0.05)
    watcher = sqlite3.connect(database_path)
    seen = {watcher.execute("PRAGMA data_version").fetchone()[0]}
    release.set()
    while not all(task.done() for task in others):
        seen.add(watcher.execute("PRAGMA data_version").fetchone()[0])
        await asyncio.sleep(0)
    seen.add(watcher.execute("PRAGMA data_version").fetchone()[0])
    watcher.close()
    await asyncio.gather(first, *others)
    assert len(await database.read(names)) == 50
    assert len(seen) <= 3


async def test_reading_may_not_write(database):
    with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
        await database.read(put("a"))


async def test_a_read_sees_one_snapshot(database):
    started, go_on = threading.Event(), threading.Event()

    def twice(connection):
        before = names(connection)
        started.set()
        go_on.wait(10)
        return before, names(connection)

    reading = asyncio.ensure_future(database.read(twice))
    await asyncio.to_thread(started.wait, 10)
    await database.write(put("a"))
    go_on.set()
    assert await reading == (set(), set())


async def test_the_event_loop_runs_while_a_write_works(database):
    writing = asyncio.ensure_future(database.write(lambda _: time.sleep(0.3)))
    ticks = 0
    while not writing.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 5


async def test_closing_finishes_the_queued_writes(store_url):
    database = Database.open(store_url)
    writes = [asyncio.ensure_future(database.write(put(f"n{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writes)
    again = Database.open(store_url)
    assert len(await again.read(names)) == 20
    await again.close()


async def test_closing_twice_is_fine_and_writing_afterwards_is_not(store_url):
    database = Database.open(store_url)
    await database.close()
    await database.close()
    with pytest.raises(RuntimeError, match="closed"):
        await database.write(put("a"))


async def test_a_cancelled_write_that_has_not_begun_is_left_out(database):
    release = threading.Event()
    first = asyncio.ensure_future(database.write(lambda _: release.wait(10)))
    await asyncio.sleep(0.05)
    second = asyncio.ensure_future(database.write(put("cancelled")))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    release.set()
    await first
    await database.write(put("kept"))
    assert await database.read(names) == {"kept"}


async def test_a_write_waits_for_another_process_to_let_go(database, store_url):
    other = Database.open(store_url)
    begun, go_on = threading.Event(), threading.Event()

    def hold(connection):
        put("held")(connection)
        begun.set()
        go_on.wait(10)

    holding = asyncio.ensure_future(other.write(hold))
    await asyncio.to_thread(begun.wait, 10)
    writing = asyncio.ensure_future(database.write(names))
    await asyncio.sleep(0.2)
    assert not writing.done()
    go_on.set()
    await holding
    assert await writing == {"held"}
    await other.close()


@on_sqlite
async def test_a_full_disk_is_told_and_the_next_write_works(database):
    def fill(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.execute(sa.insert(revisions).values(name="big" * 100_000, number=1))

    with pytest.raises(Unavailable, match="full"):
        await database.write(fill)
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000"))
    await database.write(put("a"))
    assert await database.read(names) == {"a"}


@on_postgres
async def test_many_waiting_writes_share_a_transaction(database):
    release = threading.Event()
    first = asyncio.ensure_future(database.write(lambda _: release.wait(10)))
    transaction = sa.select(sa.func.txid_current())
    others = [database.write(lambda connection: connection.scalar(transaction)) for _ in range(50)]
    waiting = asyncio.gather(*others)
    await asyncio.sleep(0.05)
    release.set()
    await first
    assert len(set(await waiting)) <= 2


@on_sqlite
def test_only_the_owner_may_read_the_file(database_path):
    database = Database.open(database_path)
    database.close_now()
    assert database_path.stat().st_mode & 0o077 == 0


@on_sqlite
async def test_the_log_is_cut_after_a_large_transaction(database, database_path):
    log = database_path.with_name(database_path.name + "-wal")
    await database.write(lambda connection: [put("big" * 4_000_000 + str(number))(connection) for number in range(8)])
    large = log.stat().st_size
    await database.write(put("a"))
    await database.write(put("b"))
    assert large > 90_000_000
    assert log.stat().st_size <= 2**26


@on_sqlite
async def test_an_acknowledged_write_is_synced_to_disk(database):
    def modes(connection):
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")]

    assert await database.write(modes) == ["wal", 2]


def test_a_path_and_a_url_both_name_a_database(tmp_path):
    assert database_url(tmp_path / "a b?.db").database == str(tmp_path / "a b?.db")
    assert database_url("postgresql://db/smalt").get_backend_name() == "postgresql"
