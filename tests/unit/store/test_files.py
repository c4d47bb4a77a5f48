"""Files are there exactly until they are deleted or their time is over, and a list goes on where it was."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.settings import StorageSettings
from smalt.store.blobs import Blobs
from smalt.store.cursors import Slice
from smalt.store.database import Database
from smalt.store.files import ExpiredFiles, Files, NewFile, StoredFile
from smalt.store.tables import blobs as blobs_table
from smalt.store.tables import doomed_blobs, upload_parts, uploads
from smalt.store.tables import files as table
from smalt.store.uploads import ExpiredUploads, NewUpload, Uploads


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.at = int(time.time())

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def kept(database: Database, tmp_path: Path) -> AsyncIterator[Blobs]:
    opened = Blobs.open(StorageSettings(), tmp_path, database)
    yield opened
    await opened.close()


async def stream(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def make(
    files: Files, kept: Blobs, content: bytes = b"tale", project: str = "green", **fields: Any
) -> StoredFile:
    told: Any = {"filename": "tale.txt", "purpose": "assistants", **fields}
    return await files.create(project, NewFile(blob=await kept.put(stream(content)), **told))


async def count(database: Database, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return await database.read(lambda connection: connection.execute(query).scalar_one())


async def test_a_file_is_out_of_sight_exactly_when_its_time_is_over(
    database: Database, kept: Blobs, clock: Clock
) -> None:
    files = Files(database, clock=clock)
    file = await make(files, kept, expires_after_seconds=3600)
    assert file.expires_at == clock.at + 3600
    clock.at += 3599
    assert await files.get("green", file.id) == file
    assert (await files.list("green", Slice())).items == [file]
    clock.at += 1
    with pytest.raises(NotFound):
        await files.get("green", file.id)
    with pytest.raises(NotFound):
        await files.delete("green", file.id)
    assert (await files.list("green", Slice())).items == []


async def test_the_sweep_deletes_what_has_expired_and_nothing_else(
    database: Database, kept: Blobs, clock: Clock
) -> None:
    files, sweep = Files(database, clock=clock), ExpiredFiles(database, clock=clock)
    for number in range(45):
        await make(files, kept, b"%d" % number, expires_after_seconds=3600)
    later = await make(files, kept, b"later", expires_after_seconds=3601)
    never = await make(files, kept, b"never")
    clock.at += 3600
    await sweep.sweep()
    await sweep.sweep()
    assert await count(database, doomed_blobs) == 45
    assert await count(database, blobs_table) == 2
    assert (await files.list("green", Slice(order="asc"))).items == [later, never]


async def test_a_page_may_begin_behind_a_deleted_file_for_a_day(database: Database, kept: Blobs, clock: Clock) -> None:
    files, sweep = Files(database, clock=clock), ExpiredFiles(database, clock=clock)
    found = [await make(files, kept, b"%d" % number) for number in range(4)]
    await files.delete("green", found[1].id)
    await sweep.sweep()
    behind = Slice(after=found[1].id, order="asc")
    assert (await files.list("green", behind)).items == found[2:]
    clock.at += 24 * 3600 + 2
    await sweep.sweep()
    assert await count(database, table) == 3
    with pytest.raises(NotFound):
        await files.list("green", behind)


async def test_files_that_come_while_somebody_pages_are_neither_repeated_nor_in_the_way(
    database: Database, kept: Blobs, clock: Clock
) -> None:
    files = Files(database, clock=clock)
    found = [await make(files, kept, b"%d" % number) for number in range(6)]
    first = await files.list("green", Slice(limit=3))
    await make(files, kept, b"new")
    second = await files.list("green", Slice(limit=3, after=first.items[-1].id))
    assert first.items + second.items == found[::-1]
    assert not second.has_more


async def test_a_project_s_files_are_its_own(database: Database, kept: Blobs) -> None:
    files = Files(database)
    file = await make(files, kept)
    for use in (files.get, files.delete):
        with pytest.raises(NotFound):
            await use("blue", file.id)
    assert (await files.list("blue", Slice())).items == []
    assert (await files.get("green", file.id)) == file


async def test_deleting_a_file_dooms_its_content_unless_another_has_the_same(database: Database, kept: Blobs) -> None:
    files = Files(database)
    first, second = [await make(files, kept) for _ in range(2)]
    await files.delete("green", first.id)
    await kept.sweep()
    assert b"".join([chunk async for chunk in kept.read(second.digest)]) == b"tale"
    await files.delete("green", second.id)
    with pytest.raises(NotFound):
        await files.delete("green", second.id)
    await kept.sweep()
    with pytest.raises(NotFound):
        await anext(kept.read(second.digest))


async def test_a_file_that_cannot_be_made_leaves_its_content_to_the_sweep(database: Database, kept: Blobs) -> None:
    files = Files(database)
    file = await make(files, kept, id="file-one")
    with pytest.raises(sa.exc.IntegrityError):
        await make(files, kept, id="file-one")
    assert (await files.list("green", Slice())).items == [file]


NEW = NewUpload(filename="tale.txt", purpose="assistants", bytes=6, mime_type="text/plain")


async def test_an_upload_ends_exactly_when_its_hour_is_over(database: Database, kept: Blobs, clock: Clock) -> None:
    open_uploads = Uploads(database, kept, clock=clock)
    upload = await open_uploads.create("green", NEW)
    await open_uploads.add_part("green", upload.id, stream(b"abc"))
    clock.at += 3599
    await open_uploads.add_part("green", upload.id, stream(b"def"))
    clock.at += 1
    with pytest.raises(InvalidRequest, match="expired"):
        await open_uploads.add_part("green", upload.id, stream(b"ghi"))
    with pytest.raises(InvalidRequest, match="expired"):
        await open_uploads.cancel("green", upload.id)
    assert await count(database, upload_parts) == 2
    sweep = ExpiredUploads(database, clock=clock)
    await sweep.sweep()
    assert await count(database, upload_parts) == 0
    with pytest.raises(InvalidRequest, match="expired"):
        await open_uploads.cancel("green", upload.id)
    clock.at += 24 * 3600 + 1
    await sweep.sweep()
    assert await count(database, uploads) == 0


async def test_the_same_part_sent_twice_is_two_parts_of_one_content(database: Database, kept: Blobs) -> None:
    open_uploads = Uploads(database, kept)
    upload = await open_uploads.create("green", NEW)
    parts = [await open_uploads.add_part("green", upload.id, stream(b"abc")) for _ in range(2)]
    assert await count(database, blobs_table) == 1
    _, arranged = await open_uploads.arranged("green", upload.id, [part.id for part in parts])
    assert b"".join([chunk async for chunk in open_uploads.content(arranged)]) == b"abcabc"
    await open_uploads.cancel("green", upload.id)
    await kept.sweep()
    assert await count(database, blobs_table) == 0


async def test_a_file_is_made_of_an_upload_once(database: Database, kept: Blobs) -> None:
    open_uploads = Uploads(database, kept)
    upload = await open_uploads.create("green", NEW)
    await open_uploads.add_part("green", upload.id, stream(b"abcdef"))
    blobs = [await kept.put(stream(b"abcdef")) for _ in range(2)]
    made = [NewFile(blob=blob, filename="tale.txt", purpose="assistants") for blob in blobs]
    ended, file = await open_uploads.complete("green", upload.id, made[0])
    assert (ended.status, ended.file_id) == ("completed", file.id)
    with pytest.raises(InvalidRequest, match=file.id):
        await open_uploads.complete("green", upload.id, made[1])
    assert await count(database, table) == 1
    assert await count(database, upload_parts) == 0
