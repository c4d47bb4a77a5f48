"""The life of an API key."""

import asyncio

import pytest
import sqlalchemy as sa

from smalt.core.errors import Conflict, NotFound
from smalt.store import keys as keys_module
from smalt.store.database import Database
from smalt.store.keys import Keys, digest
from smalt.store.tables import metadata, revisions


async def test_a_new_key_is_found_by_the_digest_of_its_secret(database):
    keys = Keys(database)
    key, secret = await keys.create("app", "shop", requests_per_minute=5)
    assert secret.startswith("sk-smalt-")
    assert await keys.find(digest(secret)) == key
    assert (key.project, key.requests_per_minute, key.tokens_per_minute) == ("shop", 5, None)


async def test_the_secret_is_nowhere_in_the_database(database):
    _, secret = await Keys(database).create("app", "shop")
    rows = await database.read(
        lambda connection: [row for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    )
    assert "app" in str(rows)
    assert secret.removeprefix("sk-smalt-") not in str(rows)


async def test_an_unknown_secret_finds_nothing(database):
    assert await Keys(database).find(digest("sk-smalt-guess")) is None


async def test_a_secret_that_is_no_text_finds_nothing(database):
    assert await Keys(database).find(digest("sk-\udcff")) is None


async def test_a_revoked_key_is_found_no_more(database):
    keys = Keys(database)
    key, secret = await keys.create("app", "shop")
    revoked = await keys.revoke("app")
    assert revoked.id == key.id
    assert revoked.revoked_at is not None
    assert await keys.find(digest(secret)) is None


async def test_a_key_is_revoked_by_its_id_too(database):
    keys = Keys(database)
    key, _ = await keys.create("app", "shop")
    await keys.revoke(key.id)
    assert await keys.list() == []


async def test_revoking_an_unknown_key_says_how_to_see_them(database):
    with pytest.raises(NotFound, match="smalt keys list"):
        await Keys(database).revoke("nobody")


async def test_two_live_keys_cannot_have_one_name(database):
    keys = Keys(database)
    await keys.create("app", "shop")
    with pytest.raises(Conflict, match="already"):
        await keys.create("app", "other")
    await keys.revoke("app")
    await keys.create("app", "other")
    assert {key.project for key in await keys.list(revoked=True)} == {"shop", "other"}
    assert [key.project for key in await keys.list()] == ["other"]


async def test_the_first_key_is_made_once(database):
    keys = Keys(database)
    made = await keys.create_first()
    assert made is not None
    assert (made[0].name, made[0].project) == ("default", "default")
    await keys.revoke("default")
    assert await keys.create_first() is None


async def test_two_servers_starting_at_once_make_one_first_key(database, store_url):
    other = Database.open(store_url)
    made = await asyncio.gather(Keys(database).create_first(), Keys(other).create_first())
    await other.close()
    assert sorted(key is None for key in made) == [False, True]


async def test_another_process_sees_a_change_within_a_second(database, store_url):
    other_database = Database.open(store_url)
    other = Keys(other_database)
    keys = Keys(database)
    assert await other.find(digest("warm")) is None
    _, secret = await keys.create("app", "shop")
    await asyncio.sleep(keys_module.FRESH_SECONDS)
    assert await other.find(digest(secret)) is not None
    await keys.revoke("app")
    await asyncio.sleep(keys_module.FRESH_SECONDS)
    assert await other.find(digest(secret)) is None
    await other_database.close()


async def test_finding_a_known_key_reads_nothing(database):
    keys = Keys(database)
    _, secret = await keys.create("app", "shop")
    await keys.find(digest(secret))
    await database.close()
    assert await keys.find(digest(secret)) is not None


async def test_many_requests_at_once_look_only_once(store_url):
    class Counting(Database):
        reads = 0

        async def read(self, work):
            self.reads += 1
            return await super().read(work)

    database = Counting.open(store_url)
    keys = Keys(database)
    await asyncio.gather(*(keys.find(digest(str(number))) for number in range(50)))
    await database.close()
    assert database.reads == 1


async def test_usage_does_not_make_servers_read_the_keys_again(database):
    keys = Keys(database)
    await keys.create("app", "shop")

    def use(connection):
        number = sa.select(revisions.c.number).where(revisions.c.name == "keys")
        before = connection.scalar(number)
        connection.execute(sa.update(keys_module.table).values(last_used_at=1))
        return before, connection.scalar(number)

    assert await database.write(use) == (1, 1)
