"""How usage is counted, kept and shown."""

import asyncio
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from smalt.core.errors import Unavailable
from smalt.store.database import Database
from smalt.store.keys import Keys
from smalt.store.tables import end_users
from smalt.store.usage import EndUser, Tokens, UsageRecorder, read_usage

TODAY = datetime.now(UTC).date().isoformat()


def count(recorder, **changes):
    where = {"key_id": "key_1", "project": "shop", "model": "echo", "operation": "chat"} | changes
    recorder.record(Tokens(prompt_tokens=3, completion_tokens=2, cached_tokens=1), **where)


async def totals(database, by="model", **filters):
    rows = await read_usage(database, by=by, **filters)
    return {row.group: (row.requests, row.prompt_tokens, row.completion_tokens) for row in rows}


async def test_leaving_the_recorder_writes_everything(database):
    async with UsageRecorder(database) as recorder:
        count(recorder)
        count(recorder)
        count(recorder, model="other")
    assert await totals(database) == {"echo": (2, 6, 4), "other": (1, 3, 2)}


async def test_usage_reaches_the_database_by_itself(database):
    async with UsageRecorder(database, flush_seconds=0.05) as recorder:
        count(recorder)
        await asyncio.sleep(0.3)
        assert await totals(database) == {"echo": (1, 3, 2)}


async def test_two_servers_add_up_in_one_row(database, store_url):
    other = Database.open(store_url)
    async with UsageRecorder(database) as first, UsageRecorder(other) as second:
        count(first)
        count(second)
    await other.close()
    assert await totals(database) == {"echo": (2, 6, 4)}


async def test_keys_are_shown_by_name_and_know_when_they_were_used(database):
    keys = Keys(database)
    key, _ = await keys.create("app", "shop")
    async with UsageRecorder(database) as recorder:
        count(recorder, key_id=key.id)
        count(recorder, key_id="gone")
    assert await totals(database, by="key") == {"app": (1, 3, 2), "gone": (1, 3, 2)}
    assert (await keys.list())[0].last_used_at is not None


async def test_end_users_are_kept_with_their_context(database):
    context = EndUser(application_name="crm", end_user_id="u-1", end_user_tenant_id="t-1", source_ip="10.0.0.1")
    async with UsageRecorder(database) as recorder:
        count(recorder, end_user=EndUser(user="ada"))
        count(recorder, end_user=EndUser(user="ada"))
        count(recorder, end_user=context)
        count(recorder)
    assert await totals(database, by="user") == {"ada": (2, 6, 4), "u-1": (1, 3, 2), "-": (1, 3, 2)}
    kept = await database.read(lambda connection: connection.execute(sa.select(end_users)).mappings().all())
    assert {row["source_ip"] for row in kept} == {None, "10.0.0.1"}


async def test_an_endless_user_name_is_cut(database):
    async with UsageRecorder(database) as recorder:
        count(recorder, end_user=EndUser(user="x" * 5000))
    assert list(await totals(database, by="user")) == ["x" * 1024]


async def test_days_are_utc_and_can_be_left_out_by_date(database):
    async with UsageRecorder(database) as recorder:
        count(recorder)
    assert await totals(database, by="day", since=TODAY) == {TODAY: (1, 3, 2)}
    assert await totals(database, by="day", since="9999-01-01") == {}


@pytest.mark.parametrize("by", ["key", "project", "model", "operation", "day", "user"])
async def test_every_grouping_counts_every_request(database, by):
    async with UsageRecorder(database) as recorder:
        for number in range(5):
            count(recorder, model=f"m{number % 2}", operation=f"o{number}", end_user=EndUser(user=str(number)))
    assert sum(row[0] for row in (await totals(database, by=by)).values()) == 5


async def test_usage_that_could_not_be_written_is_written_later(store_url):
    class Failing(Database):
        is_full = True

        async def write(self, work):
            if self.is_full:
                raise Unavailable("The disk is full.")
            return await super().write(work)

    database = Failing.open(store_url)
    recorder = UsageRecorder(database)
    count(recorder)
    with pytest.raises(Unavailable):
        await recorder.flush()
    count(recorder)
    database.is_full = False
    await recorder.close()
    assert await totals(database) == {"echo": (2, 6, 4)}
    await database.close()
