"""Files in vector stores: attached, replaced, paged, changed and removed, alone or in batches."""

import re

import pytest
import sqlalchemy as sa

from smalt.core.errors import InvalidRequest, NotFound
from smalt.store.cursors import Slice
from smalt.store.tables import chunk_vectors, chunks, jobs, vector_store_files
from stored_vectors import Shelf, attached, put_chunks


@pytest.fixture
def shelf(database):
    return Shelf(database)


async def ids(page):
    return [one.file_id for one in (await page).items]


async def test_an_attached_file_shows_what_was_asked_for(shelf):
    (file_id,) = await shelf.upload()
    store = await shelf.create()
    attributes = {"year": 2024, "draft": False, "score": 0.5, "author": "Ada"}
    made = await shelf.files.attach("default", store.id, attached(file_id, attributes=attributes))
    assert (made.file_id, made.vector_store_id, made.status) == (file_id, store.id, "in_progress")
    assert (made.max_chunk_size_tokens, made.chunk_overlap_tokens) == (800, 400)
    kept = (await shelf.files.get("default", store.id, file_id)).attributes
    assert list(kept.items()) == list(attributes.items())
    assert [type(value) for value in kept.values()] == [int, bool, float, str]


async def test_a_file_attached_again_replaces_the_old_attachment(shelf):
    (file_id,) = await shelf.upload()
    store = await shelf.create(file_id)
    await shelf.ingest(file_id, "old", "text")
    again = await shelf.files.attach("default", store.id, attached(file_id))
    assert again.status == "in_progress"
    assert await shelf.count(chunks) == await shelf.count(chunk_vectors) == 0
    assert await shelf.count(jobs) == 2
    assert (await shelf.stores.get("default", store.id)).file_counts.total == 1
    assert await ids(shelf.files.page("default", store.id, Slice())) == [file_id]


async def test_a_detached_file_is_gone_from_the_store_and_kept_elsewhere(shelf):
    (file_id,) = await shelf.upload()
    store, other = await shelf.create(file_id), await shelf.create(file_id)
    await shelf.ingest(file_id, "text")
    await shelf.files.detach("default", store.id, file_id)
    said = f"No file found with id '{file_id}' in vector store '{store.id}'"
    for attempt in (
        shelf.files.get("default", store.id, file_id),
        shelf.files.detach("default", store.id, file_id),
        shelf.files.update("default", store.id, file_id, {}),
        shelf.files.text("default", store.id, file_id),
    ):
        with pytest.raises(NotFound, match=said):
            await attempt
    assert (await shelf.files.get("default", other.id, file_id)).status == "completed"
    assert await shelf.count(chunks) == 1


async def test_another_project_cannot_touch_the_files(shelf):
    (mine,) = await shelf.upload()
    (theirs,) = await shelf.upload(project="other")
    store = await shelf.create(mine)
    batch = await shelf.batches.create("default", store.id, [attached(mine)])
    for attempt in (
        shelf.files.attach("other", store.id, attached(theirs)),
        shelf.files.page("other", store.id, Slice()),
        shelf.files.get("other", store.id, mine),
        shelf.files.update("other", store.id, mine, {}),
        shelf.files.detach("other", store.id, mine),
        shelf.files.text("other", store.id, mine),
        shelf.batches.create("other", store.id, [attached(theirs)]),
        shelf.batches.get("other", store.id, batch.id),
        shelf.batches.cancel("other", store.id, batch.id),
        shelf.batches.list_files("other", store.id, batch.id, Slice()),
    ):
        with pytest.raises(NotFound, match=f"No vector store found with id '{store.id}'"):
            await attempt


async def test_the_list_can_be_kept_to_one_status(shelf):
    a, b, c = await shelf.upload(3)
    store = await shelf.create(a, b, c)
    await shelf.ingest(b, "text")
    await shelf.ingest(c, status="failed")
    for status, expected in {"in_progress": [a], "completed": [b], "failed": [c], "cancelled": []}.items():
        assert await ids(shelf.files.page("default", store.id, Slice(), status=status)) == expected


async def test_pages_go_forwards_and_backwards_in_either_order(shelf):
    files = await shelf.upload(7)
    store = await shelf.create(*files)

    async def page(**asked):
        found = await shelf.files.page("default", store.id, Slice(**asked))
        return [one.file_id for one in found.items], found.has_more

    assert await page(order="asc", limit=3) == (files[:3], True)
    assert await page(order="asc", limit=3, after=files[2]) == (files[3:6], True)
    assert await page(order="asc", limit=3, after=files[5]) == (files[6:], False)
    assert await page(order="asc", limit=3, before=files[5]) == (files[2:5], True)
    assert await page(order="asc", limit=3, before=files[2]) == (files[:2], False)
    newest = files[::-1]
    assert await page(limit=3) == (newest[:3], True)
    assert await page(limit=4, after=newest[2]) == (newest[3:], False)
    assert await page(limit=3, before=newest[4]) == (newest[1:4], True)
    assert await page(limit=9, after=newest[0], before=newest[4]) == (newest[1:4], False)


async def test_a_page_goes_on_behind_a_file_that_was_removed_meanwhile(shelf):
    files = await shelf.upload(4)
    store = await shelf.create(*files)
    await shelf.files.detach("default", store.id, files[1])
    assert await ids(shelf.files.page("default", store.id, Slice(after=files[1], order="asc"))) == files[2:]
    with pytest.raises(NotFound, match="No file in this list has the id 'file-never'"):
        await shelf.files.page("default", store.id, Slice(after="file-never"))


async def test_the_text_of_a_completed_file_comes_in_reading_order(shelf):
    (file_id,) = await shelf.upload()
    store = await shelf.create(file_id)
    with pytest.raises(InvalidRequest, match="is still being processed"):
        await shelf.files.text("default", store.id, file_id)
    await shelf.ingest(file_id, "one ", "two ", "three")
    text = await shelf.files.text("default", store.id, file_id)
    assert (text.chunks, text.is_overlapping) == (["one ", "two ", "three"], True)


async def test_a_batch_counts_its_own_files(shelf):
    outside, *inside = await shelf.upload(4)
    store = await shelf.create(outside)
    batch = await shelf.batches.create("default", store.id, [attached(one) for one in inside])
    assert re.fullmatch(r"vsfb_[0-9a-f]{32}", batch.id)
    assert (batch.status, batch.file_counts.in_progress) == ("in_progress", 3)
    await shelf.ingest(inside[0], "text")
    await shelf.ingest(inside[1], status="failed")
    await shelf.files.detach("default", store.id, inside[2])
    done = await shelf.batches.get("default", store.id, batch.id)
    counts = done.file_counts
    assert (done.status, counts.completed, counts.failed, counts.total) == ("completed", 1, 1, 2)
    assert await ids(shelf.batches.list_files("default", store.id, batch.id, Slice(order="asc"))) == inside[:2]
    failed = shelf.batches.list_files("default", store.id, batch.id, Slice(), status="failed")
    assert await ids(failed) == [inside[1]]


async def test_a_batch_is_one_job(shelf):
    files = await shelf.upload(3)
    store = await shelf.create()
    batch = await shelf.batches.create("default", store.id, [attached(one) for one in files])
    row = await shelf.database.read(lambda connection: connection.execute(sa.select(jobs)).one())
    assert (row.id, row.kind, row.input) == (batch.id, "ingest", {"batch": batch.id})


async def test_a_batch_with_an_unknown_file_attaches_nothing(shelf):
    (known,) = await shelf.upload()
    store = await shelf.create()
    unknown = attached("file-x", param="file_ids[1]")
    with pytest.raises(NotFound, match="No file found with id 'file-x'") as caught:
        await shelf.batches.create("default", store.id, [attached(known), unknown])
    assert caught.value.param == "file_ids[1]"
    assert await shelf.count(vector_store_files) == await shelf.count(jobs) == 0


async def test_cancelling_a_batch_ends_what_is_left_and_keeps_what_is_done(shelf):
    done, going, waiting = await shelf.upload(3)
    store = await shelf.create()
    batch = await shelf.batches.create("default", store.id, [attached(one) for one in (done, going, waiting)])
    await shelf.ingest(done, "text")
    half = await shelf.files.get("default", store.id, going)
    await shelf.database.write(lambda connection: put_chunks(connection, half.sequence, ("half",)))
    cancelled = await shelf.batches.cancel("default", store.id, batch.id)
    counts = cancelled.file_counts
    assert (cancelled.status, counts.completed, counts.cancelled, counts.in_progress) == ("cancelled", 1, 2, 0)
    assert (await shelf.files.get("default", store.id, going)).status == "cancelled"
    assert (await shelf.stores.get("default", store.id)).status == "completed"
    assert await shelf.count(chunks) == 1
    assert await shelf.count(jobs, jobs.c.wanted == "cancel") == 1


async def test_cancelling_a_finished_batch_changes_nothing(shelf):
    (file_id,) = await shelf.upload()
    store = await shelf.create()
    batch = await shelf.batches.create("default", store.id, [attached(file_id)])
    await shelf.ingest(file_id, "text")
    assert (await shelf.batches.cancel("default", store.id, batch.id)).status == "completed"
    assert await shelf.count(jobs, jobs.c.wanted == "cancel") == 0


async def test_a_batch_whose_files_all_failed_has_failed(shelf):
    files = await shelf.upload(2)
    store = await shelf.create()
    batch = await shelf.batches.create("default", store.id, [attached(one) for one in files])
    for one in files:
        await shelf.ingest(one, status="failed")
    assert (await shelf.batches.get("default", store.id, batch.id)).status == "failed"


async def test_a_batch_belongs_to_its_store(shelf):
    (file_id,) = await shelf.upload()
    store, other = await shelf.create(), await shelf.create()
    batch = await shelf.batches.create("default", store.id, [attached(file_id)])
    with pytest.raises(NotFound, match=f"No vector store file batch found with id '{batch.id}'"):
        await shelf.batches.get("default", other.id, batch.id)


async def test_two_thousand_files_are_attached_at_once(shelf):
    files = await shelf.upload(2000)
    store = await shelf.create()
    batch = await shelf.batches.create("default", store.id, [attached(one) for one in [*files, files[0]]])
    assert batch.file_counts.in_progress == 2000
    again = await shelf.batches.create("default", store.id, [attached(one) for one in files])
    assert again.file_counts.in_progress == 2000
    assert (await shelf.batches.get("default", store.id, batch.id)).file_counts.total == 0
    assert (await shelf.stores.get("default", store.id)).file_counts.total == 2000
