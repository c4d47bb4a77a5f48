"""Content is kept whole or not at all, whatever happens at the same time, and nothing of it is left behind."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from smalt.core.errors import NotFound, Unavailable
from smalt.core.ids import short_id
from smalt.core.settings import StorageSettings
from smalt.store.blobs import Blob, Blobs
from smalt.store.database import Database
from smalt.store.tables import blob_holds, blobs, doomed_blobs, files

CONTENT = b"The quick brown fox. " * 100_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.at = int(time.time())

    def __call__(self) -> int:
        return self.at


async def stream(content: bytes = CONTENT, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        await asyncio.sleep(0)
        yield content[start : start + size]


async def broken() -> AsyncIterator[bytes]:
    yield CONTENT
    raise ConnectionResetError


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def kept(database: Database, tmp_path: Path, clock: Clock) -> AsyncIterator[Blobs]:
    opened = Blobs.open(StorageSettings(sweep_after_seconds=100), tmp_path, database, clock=clock)
    yield opened
    await opened.close()


async def refer(database: Database, blob: Blob) -> int:
    """Let a file refer to a blob, as an upload does."""
    row = {
        "id": short_id("file-"),
        "project": "green",
        "purpose": "assistants",
        "filename": "fox.txt",
        "bytes": blob.bytes,
        "created_at": 1,
        "status": "processed",
        "digest": blob.digest,
    }

    def insert(connection: sa.Connection) -> int:
        Blobs.claim(connection, blob)
        return connection.execute(sa.insert(files).values(row).returning(files.c.sequence)).scalar_one()

    return await database.write(insert)


async def unrefer(database: Database, sequence: int, digest: str = DIGEST) -> None:
    def delete(connection: sa.Connection) -> None:
        connection.execute(sa.delete(files).where(files.c.sequence == sequence))
        Blobs.release(connection, digest)

    await database.write(delete)


async def whole(kept: Blobs, *bounds: int | None) -> bytes:
    return b"".join([chunk async for chunk in kept.read(DIGEST, *bounds)])


async def count(database: Database, table: sa.Table) -> int:
    return await database.read(
        lambda connection: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    )


def objects(folder: Path) -> list[Path]:
    return [path for path in (folder / "blobs").glob("??/*") if path.is_file()]


def staged(folder: Path) -> list[Path]:
    return list((folder / "blobs" / ".staging").glob("*"))


async def until_nothing_is_staged(folder: Path) -> None:
    for _ in range(200):
        if not staged(folder):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(staged(folder))


async def test_content_is_known_by_its_digest_and_comes_back_whole_or_in_part(kept: Blobs, database: Database) -> None:
    blob = await kept.put(stream())
    await refer(database, blob)
    assert (blob.digest, blob.bytes) == (DIGEST, len(CONTENT))
    assert await whole(kept) == CONTENT
    assert await whole(kept, 5, 9) == CONTENT[5:9]
    assert await whole(kept, len(CONTENT) - 3, None) == CONTENT[-3:]
    assert await whole(kept, 7, 7) == b""
    assert await whole(kept, 7, 10**12) == CONTENT[7:]


async def test_empty_content_is_content_too(kept: Blobs) -> None:
    blob = await kept.put(stream(b""))
    assert blob.bytes == 0
    assert [chunk async for chunk in kept.read(blob.digest)] == []


async def test_the_same_content_is_kept_once(kept: Blobs, database: Database, tmp_path: Path) -> None:
    await refer(database, await kept.put(stream()))
    await refer(database, await kept.put(stream(size=17_000)))
    assert len(objects(tmp_path)) == 1
    assert await count(database, blobs) == 1
    await until_nothing_is_staged(tmp_path)


async def test_two_uploads_of_the_same_content_at_once_both_succeed(
    kept: Blobs, database: Database, tmp_path: Path
) -> None:
    found = await asyncio.gather(*(kept.put(stream()) for _ in range(8)))
    sequences = [await refer(database, blob) for blob in found]
    assert len(objects(tmp_path)) == 1
    for sequence in sequences[:-1]:
        await unrefer(database, sequence)
    await kept.sweep()
    assert await whole(kept) == CONTENT
    await unrefer(database, sequences[-1])
    await kept.sweep()
    assert objects(tmp_path) == []


async def test_a_sweep_passes_over_streams_that_end_while_it_looks(
    kept: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = tmp_path / "blobs" / ".staging"
    staging.mkdir(parents=True, exist_ok=True)
    for name in ("ended", "left"):
        (staging / name).touch()
        os.utime(staging / name, (0, 0))
    scan = os.scandir

    def scan_and_end(folder: Path) -> Iterator[os.DirEntry[str]]:
        entries = list(scan(folder))
        (staging / "ended").unlink()
        return iter(entries)

    monkeypatch.setattr(os, "scandir", scan_and_end)
    await kept.sweep()
    monkeypatch.undo()
    assert list(staging.iterdir()) == []


async def test_content_lives_as_long_as_anything_refers_to_it(kept: Blobs, database: Database, tmp_path: Path) -> None:
    first, second = [await refer(database, await kept.put(stream())) for _ in range(2)]
    await unrefer(database, first)
    await kept.sweep()
    assert await whole(kept) == CONTENT
    await unrefer(database, second)
    with pytest.raises(NotFound):
        await whole(kept)
    assert len(objects(tmp_path)) == 1
    await kept.sweep()
    assert objects(tmp_path) == []
    assert [await count(database, table) for table in (blobs, blob_holds, doomed_blobs)] == [0, 0, 0]


async def test_deleting_the_last_file_spares_content_that_is_being_uploaded_again(
    kept: Blobs, database: Database
) -> None:
    sequence = await refer(database, await kept.put(stream()))
    again = await kept.put(stream())
    await unrefer(database, sequence)
    await kept.sweep()
    await refer(database, again)
    assert await whole(kept) == CONTENT


async def test_content_that_is_doomed_can_be_uploaded_anew(kept: Blobs, database: Database, tmp_path: Path) -> None:
    await unrefer(database, await refer(database, await kept.put(stream())))
    assert await count(database, doomed_blobs) == 1
    await refer(database, await kept.put(stream()))
    assert len(objects(tmp_path)) == 2
    await kept.sweep()
    assert len(objects(tmp_path)) == 1
    assert await whole(kept) == CONTENT


async def test_a_stream_that_breaks_off_leaves_nothing(kept: Blobs, database: Database, tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        await kept.put(broken())
    await until_nothing_is_staged(tmp_path)
    assert objects(tmp_path) == []
    assert await count(database, blobs) == 0


async def test_an_upload_that_is_cancelled_leaves_nothing(kept: Blobs, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield CONTENT
            begun.set()

    task = asyncio.create_task(kept.put(endless()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_nothing_is_staged(tmp_path)


async def test_content_that_nobody_claims_is_swept_away_after_its_time(
    kept: Blobs, database: Database, clock: Clock, tmp_path: Path
) -> None:
    blob = await kept.put(stream())
    clock.at += 99
    await kept.sweep()
    assert len(objects(tmp_path)) == 1
    clock.at += 2
    await kept.sweep()
    assert objects(tmp_path) == []
    with pytest.raises(Unavailable):
        await refer(database, blob)
    assert await count(database, files) == 0


async def test_a_late_claim_never_takes_the_place_of_a_new_upload(
    kept: Blobs, database: Database, clock: Clock
) -> None:
    late = await kept.put(stream())
    clock.at += 101
    await kept.sweep()
    await refer(database, await kept.put(stream()))
    with pytest.raises(Unavailable):
        await refer(database, late)
    assert await whole(kept) == CONTENT


async def test_objects_that_no_row_knows_are_removed_when_they_are_old(kept: Blobs, tmp_path: Path) -> None:
    await kept.put(stream())
    name = f"ab/{'ab' * 32}-{'0' * 16}"
    foreign = ["notes.txt", "ab/other", "ab/" + "x" * 81]
    for each in (name, *foreign):
        path = tmp_path / "blobs" / each
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"?")
        os.utime(path, (time.time() - 1000, time.time() - 1000))
    await kept.sweep()
    assert not (tmp_path / "blobs" / name).exists()
    assert all((tmp_path / "blobs" / each).exists() for each in foreign)
    assert await whole(kept) == CONTENT


async def test_new_objects_that_no_row_knows_yet_are_left_alone(kept: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "blobs" / "ab" / f"{'ab' * 32}-{'0' * 16}"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"?")
    await kept.sweep()
    assert path.exists()


async def test_old_staging_files_are_removed_and_new_ones_stay(kept: Blobs, tmp_path: Path) -> None:
    folder = tmp_path / "blobs" / ".staging"
    folder.mkdir(parents=True)
    for name, age in (("old", 1000), ("new", 10)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    await kept.sweep()
    assert [path.name for path in staged(tmp_path)] == ["new"]


async def test_many_doomed_objects_go_in_one_sweep(kept: Blobs, database: Database, tmp_path: Path) -> None:
    found = [await kept.put(stream(b"%d" % number)) for number in range(250)]
    for blob in found:
        await unrefer(database, await refer(database, blob), blob.digest)
    assert await count(database, doomed_blobs) == 250
    await kept.sweep()
    assert await count(database, doomed_blobs) == 0
    assert objects(tmp_path) == []


async def test_uploading_again_repairs_content_that_was_lost(kept: Blobs, database: Database, tmp_path: Path) -> None:
    await refer(database, await kept.put(stream()))
    objects(tmp_path)[0].unlink()
    await refer(database, await kept.put(stream()))
    assert await whole(kept) == CONTENT


async def test_files_are_readable_by_their_owner_only(kept: Blobs, tmp_path: Path) -> None:
    await kept.put(stream())
    assert objects(tmp_path)[0].stat().st_mode & 0o777 == 0o600
    assert objects(tmp_path)[0].parent.stat().st_mode & 0o777 == 0o700


async def test_a_local_storage_hands_out_its_own_file(kept: Blobs, tmp_path: Path) -> None:
    blob = await kept.put(stream())
    path = await kept.local_path(blob.digest, tmp_path / "elsewhere")
    assert path == objects(tmp_path)[0]
    assert path.read_bytes() == CONTENT


async def test_the_event_loop_goes_on_while_content_is_taken_in(kept: Blobs) -> None:
    pauses: list[float] = []

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            pauses.append(time.perf_counter() - before)

    watcher = asyncio.create_task(watch())
    await kept.put(stream(os.urandom(2**20) * 64, size=2**18))
    watcher.cancel()
    assert len(pauses) > 20
    assert sorted(pauses)[len(pauses) // 2] < 0.05


async def test_what_a_client_s_stream_raises_is_its_own(kept: Blobs) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise OSError(28, "No space left on device")
        yield b""

    with pytest.raises(OSError, match="No space"):
        await kept.put(never())


async def test_a_full_disk_is_told_as_such(kept: Blobs) -> None:
    def write() -> None:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(Unavailable, match="full"):
        await kept._threads.run(write)
