"""Vector stores: made, counted, paged, expired and deleted without anything left behind."""

import re

import pytest
import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.store.cursors import Slice
from smalt.store.tables import chunk_vectors, chunks, jobs, vector_store_file_batches, vector_store_files
from smalt.store.tables import vector_stores as table
from smalt.store.vector_store_clearing import PIECE_CHUNKS
from smalt.store.vector_store_files import detach_everywhere
from smalt.store.vector_store_rows import find_usable_store, find_vector_store
from smalt.store.vector_stores import TOMBSTONE_SECONDS, ExpiredStores, VectorStoreChanges, next_sweep_at
from stored_vectors import Shelf, attached, put_chunks

DAY = 86400


@pytest.fixture
def shelf(database):
    return Shelf(database)


class Forgetful:
    """An index that notes what it was told to forget."""

    def __init__(self):
        self.forgotten = []

    async def forget(self, vector_store):
        self.forgotten.append(vector_store)


def changes(**columns):
    return VectorStoreChanges(columns)


async def test_a_new_store_is_complete_and_has_nothing_in_it(shelf):
    made = await shelf.create(name="Notes", metadata={"b": "2", "a": "1"})
    assert re.fullmatch(r"vs_[0-9a-f]{32}", made.id)
    assert (made.status, made.file_counts.total, made.usage_bytes) == ("completed", 0, 0)
    assert list(made.metadata.items()) == [("b", "2"), ("a", "1")]
    assert made.expires_at is None
    assert await shelf.stores.get("default", made.id) == made


async def test_a_store_with_files_is_in_progress_until_the_last_is_ingested(shelf):
    one, two = await shelf.upload(2)
    made = await shelf.create(one, two)
    assert (made.status, made.file_counts.in_progress, made.file_counts.total) == ("in_progress", 2, 2)
    await shelf.ingest(one, "abc", "de")
    halfway = await shelf.stores.get("default", made.id)
    assert (halfway.status, halfway.file_counts.completed, halfway.usage_bytes) == ("in_progress", 1, 5)
    await shelf.ingest(two, status="failed")
    done = await shelf.stores.get("default", made.id)
    assert (done.status, done.file_counts.failed, done.file_counts.total) == ("completed", 1, 2)


async def test_the_job_that_ingests_the_files_is_in_the_same_write(shelf):
    one, two = await shelf.upload(2)
    await shelf.create(one, two)
    row = await shelf.database.read(lambda connection: connection.execute(sa.select(jobs)).one())
    first, second = row.input["files"]
    assert (row.id, row.kind, row.queue, row.project) == (f"ingest_{first}", "ingest", "ingestion", "default")
    assert await shelf.count(vector_store_files, vector_store_files.c.sequence.in_([first, second])) == 2


async def test_a_store_with_an_unknown_file_is_not_made_at_all(shelf):
    (known,) = await shelf.upload()
    with pytest.raises(NotFound, match="No file found with id 'file-gone'") as caught:
        await shelf.create(known, "file-gone")
    assert await shelf.count(table) == await shelf.count(jobs) == await shelf.count(vector_store_files) == 0
    assert caught.value.param == "file_id"


@pytest.mark.parametrize("columns", [{"project": "other"}, {"deleted_at": 1}, {"expires_at": 1}])
async def test_a_file_that_is_another_project_s_deleted_or_expired_cannot_be_attached(shelf, columns):
    (file_id,) = await shelf.upload(**columns)
    with pytest.raises(NotFound, match=file_id):
        await shelf.create(file_id)


async def test_another_project_sees_nothing(shelf):
    made = await shelf.create()
    refused = [
        shelf.stores.get("other", made.id),
        shelf.stores.update("other", made.id, changes(name="mine")),
        shelf.stores.delete("other", made.id),
    ]
    for attempt in refused:
        with pytest.raises(NotFound, match=f"No vector store found with id '{made.id}'"):
            await attempt
    assert (await shelf.stores.list("other", Slice())).items == []
    assert (await shelf.stores.get("default", made.id)).name is None


async def test_an_update_changes_what_it_names(shelf):
    made = await shelf.create(name="Old", metadata={"a": "1"}, expires_after_days=3)
    changed = await shelf.stores.update("default", made.id, changes(name="New"))
    assert (changed.name, changed.metadata, changed.expires_after_days) == ("New", {"a": "1"}, 3)
    endless = await shelf.stores.update("default", made.id, changes(expires_after_days=None))
    assert (endless.expires_after_days, endless.expires_at) == (None, None)


async def test_use_puts_off_the_expiry(shelf):
    made = await shelf.create(expires_after_days=2)
    assert made.expires_at == made.last_active_at + 2 * DAY
    await shelf.set_store(made.id, last_active_at=now() - DAY, expires_at=now() + DAY)
    (file_id,) = await shelf.upload()
    await shelf.files.attach("default", made.id, attached(file_id))
    used = await shelf.stores.get("default", made.id)
    assert used.last_active_at >= made.last_active_at
    assert used.expires_at == used.last_active_at + 2 * DAY


async def test_a_store_expires_to_the_second(shelf):
    made = await shelf.create(expires_after_days=1)
    await shelf.set_store(made.id, expires_at=now() + 3600)
    assert (await shelf.stores.get("default", made.id)).status == "completed"
    await shelf.set_store(made.id, expires_at=now())
    assert (await shelf.stores.get("default", made.id)).status == "expired"


async def test_an_expired_store_is_listed_but_cannot_be_used(shelf):
    (file_id,) = await shelf.upload()
    made = await shelf.create(expires_after_days=1)
    await shelf.set_store(made.id, expires_at=now() - 1)
    said = f"Vector store '{made.id}' has expired"
    for attempt in (
        shelf.files.attach("default", made.id, attached(file_id)),
        shelf.batches.create("default", made.id, [attached(file_id)]),
        shelf.stores.update("default", made.id, changes(expires_after_days=9)),
        shelf.database.read(lambda connection: find_usable_store(connection, "default", made.id)),
    ):
        with pytest.raises(InvalidRequest, match=said):
            await attempt
    renamed = await shelf.stores.update("default", made.id, changes(name="Late"))
    assert (renamed.name, renamed.status) == ("Late", "expired")
    assert [one.id for one in (await shelf.stores.list("default", Slice())).items] == [made.id]


async def test_the_sweep_drops_the_chunks_of_expired_stores_and_keeps_their_files_listed(shelf):
    done, late = await shelf.upload(2)
    made = await shelf.create(done, late, expires_after_days=1)
    await shelf.ingest(done, "some", "text")
    await shelf.set_store(made.id, expires_at=now())
    index = Forgetful()
    await ExpiredStores(shelf.database, index).sweep()
    assert await shelf.count(chunks) == await shelf.count(chunk_vectors) == 0
    kept = await shelf.stores.get("default", made.id)
    assert (kept.status, kept.usage_bytes) == ("expired", 0)
    assert (kept.file_counts.completed, kept.file_counts.cancelled, kept.file_counts.total) == (1, 1, 2)
    await ExpiredStores(shelf.database, index).sweep()
    assert index.forgotten == [made.sequence]


async def test_the_sweep_leaves_living_stores_alone(shelf):
    (file_id,) = await shelf.upload()
    made = await shelf.create(file_id, expires_after_days=1)
    await shelf.ingest(file_id, "some", "text")
    before = await shelf.stores.get("default", made.id)
    index = Forgetful()
    await ExpiredStores(shelf.database, index).sweep()
    assert await shelf.stores.get("default", made.id) == before
    assert await shelf.count(chunks) == 2
    assert index.forgotten == []


async def test_deleting_a_store_removes_all_of_it_but_the_files(shelf):
    one, two = await shelf.upload(2)
    made = await shelf.create(one)
    batch = await shelf.batches.create("default", made.id, [attached(two)])
    await shelf.ingest(one, "some", "text")
    await shelf.stores.delete("default", made.id)
    assert await shelf.count(chunks) == await shelf.count(chunk_vectors) == await shelf.count(vector_store_files) == 0
    assert await shelf.count(vector_store_file_batches) == 0
    with pytest.raises(NotFound):
        await shelf.stores.get("default", made.id)
    assert await shelf.count(jobs, jobs.c.id == batch.id, jobs.c.wanted == "cancel") == 1
    assert await shelf.count(jobs, jobs.c.wanted == "cancel") == 1
    assert (await shelf.create(one, two)).file_counts.total == 2


async def test_a_large_store_is_deleted_in_pieces_that_the_sweep_finishes(shelf):
    (file_id,) = await shelf.upload()
    made = await shelf.create(file_id)
    await shelf.ingest(file_id, *["x"] * (2 * PIECE_CHUNKS + 5))
    await shelf.stores.delete("default", made.id)
    assert await shelf.count(chunks) == PIECE_CHUNKS + 5
    index = Forgetful()
    await ExpiredStores(shelf.database, index).sweep()
    assert await shelf.count(chunks) == await shelf.count(chunk_vectors) == await shelf.count(vector_store_files) == 0
    assert index.forgotten == [made.sequence]


async def test_what_ingestion_puts_into_a_store_that_is_being_deleted_goes_too(shelf):
    (file_id,) = await shelf.upload()
    made = await shelf.create(file_id)
    sequence = (await shelf.files.get("default", made.id, file_id)).sequence
    await shelf.set_store(made.id, deleted_at=now())
    await shelf.database.write(lambda connection: put_chunks(connection, sequence, ("late",)))
    await ExpiredStores(shelf.database).sweep()
    assert await shelf.count(chunks) == await shelf.count(vector_store_files) == 0


async def test_a_store_that_expired_and_was_deleted_leaves_nothing(shelf):
    (file_id,) = await shelf.upload()
    made = await shelf.create(file_id)
    await shelf.set_store(made.id, expires_at=now())
    sweep = ExpiredStores(shelf.database)
    await sweep.sweep()
    await shelf.stores.delete("default", made.id)
    await sweep.sweep()
    await shelf.set_store(made.id, deleted_at=now() - 2 * DAY)
    await sweep.sweep()
    assert await shelf.count(vector_store_files) == await shelf.count(table) == 0


async def test_a_deleted_file_leaves_every_store(shelf):
    gone, kept = await shelf.upload(2)
    stores = [await shelf.create(gone, kept), await shelf.create(gone)]
    await shelf.ingest(gone, "a", "b")
    await shelf.ingest(kept, "c")
    await shelf.database.write(lambda connection: detach_everywhere(connection, gone))
    counts = [(await shelf.stores.get("default", one.id)).file_counts.total for one in stores]
    assert counts == [1, 0]
    assert await shelf.count(chunks) == 1


async def test_every_change_that_a_search_could_see_moves_the_version(shelf):
    (file_id,) = await shelf.upload()
    made = await shelf.create()

    async def versions():
        def select(connection):
            store = find_vector_store(connection, "default", made.id)
            newest = sa.select(sa.func.max(vector_store_files.c.version))
            return store.version, connection.execute(newest).scalar_one()

        return await shelf.database.read(select)

    seen = [made.version]
    for step in (
        lambda: shelf.files.attach("default", made.id, attached(file_id)),
        lambda: shelf.ingest(file_id, "text"),
        lambda: shelf.files.update("default", made.id, file_id, {"a": 1}),
        lambda: shelf.files.attach("default", made.id, attached(file_id)),
        lambda: shelf.files.detach("default", made.id, file_id),
    ):
        await step()
        store, newest = await versions()
        assert store == newest
        seen.append(store)
    assert seen == sorted(set(seen))


async def test_old_tombstones_go_and_the_store_remembers_that_they_went(shelf):
    old, young = await shelf.upload(2)
    made = await shelf.create(old, young)
    for one in (old, young):
        await shelf.files.detach("default", made.id, one)
    aged = sa.update(vector_store_files).where(vector_store_files.c.file_id == old).values(deleted_at=now() - 2 * DAY)
    await shelf.database.write(lambda connection: connection.execute(aged) and None)
    await ExpiredStores(shelf.database).sweep()
    left = await shelf.database.read(lambda connection: connection.execute(sa.select(vector_store_files)).all())
    assert [row.file_id for row in left] == [young]
    store = await shelf.database.read(lambda connection: find_vector_store(connection, "default", made.id))
    assert 0 < store.purged_version < left[0].version


async def test_listing_counts_each_store_by_itself(shelf):
    one, two = await shelf.upload(2)
    first = await shelf.create(one, two)
    await shelf.ingest(one, "abc")
    second = await shelf.create(two)
    page = await shelf.stores.list("default", Slice(order="asc"))
    assert [(item.id, item.file_counts.total, item.usage_bytes) for item in page.items] == [
        (first.id, 2, 3),
        (second.id, 1, 0),
    ]


async def test_a_large_file_is_removed_in_pieces_that_the_sweep_finishes(shelf):
    (file_id,) = await shelf.upload()
    made = await shelf.create(file_id)
    await shelf.ingest(file_id, *["x"] * (PIECE_CHUNKS + 5))
    await shelf.files.detach("default", made.id, file_id)
    assert await shelf.count(chunks) == 5
    assert await shelf.database.read(next_sweep_at) <= now()
    await ExpiredStores(shelf.database).sweep()
    assert await shelf.count(chunks) == await shelf.count(chunk_vectors) == 0
    assert await shelf.database.read(next_sweep_at) > now()


async def test_the_next_sweep_is_told_before_each_thing_it_does(shelf):
    async def due():
        return await shelf.database.read(next_sweep_at)

    sweep = ExpiredStores(shelf.database).sweep
    assert await due() is None
    await shelf.create()
    assert await due() is None
    made = await shelf.create(expires_after_days=3)
    assert await due() == made.expires_at
    await shelf.set_store(made.id, expires_at=5)
    assert await due() == 5
    await sweep()
    assert await due() is None
    await shelf.stores.delete("default", made.id)
    assert await due() <= now()
    await sweep()
    assert await due() >= now() + TOMBSTONE_SECONDS - 5
    await shelf.set_store(made.id, deleted_at=7)
    assert await due() == 7 + TOMBSTONE_SECONDS + 1
    await sweep()
    assert await due() is None
