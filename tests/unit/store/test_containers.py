"""Containers are there until nobody uses them any more, and their files with them."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.settings import StorageSettings
from smalt.store.blobs import Blobs
from smalt.store.container_files import ContainerFiles
from smalt.store.containers import TOMBSTONE_SECONDS, Containers, ExpiredContainers, NewContainer, next_sweep_at
from smalt.store.cursors import Slice
from smalt.store.database import Database
from smalt.store.files import Files, NewFile
from smalt.store.tables import blobs as blobs_table
from smalt.store.tables import container_files, containers

MOST = 2**20


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


@pytest.fixture
def rows(database: Database, clock: Clock) -> Containers:
    return Containers(database, clock=clock)


@pytest.fixture
def inside(database: Database) -> ContainerFiles:
    return ContainerFiles(database)


async def stream(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def make(rows: Containers, project: str = "green", **fields: Any) -> Any:
    return await rows.create(project, NewContainer(name="box", **fields))


async def count(database: Database, table: sa.Table, *where: Any) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(*where)
    return await database.read(lambda connection: connection.execute(query).scalar_one())


async def test_a_container_is_found_by_its_project_alone(rows: Containers) -> None:
    made = await make(rows, memory_limit="4g", expires_after_minutes=5)
    assert made.id.startswith("cntr_")
    assert len(made.id) == len("cntr_") + 48
    assert await rows.get("green", made.id) == made
    assert (made.memory_limit, made.expires_at - made.created_at, made.is_expired) == ("4g", 300, False)
    for use in (rows.get, rows.use, rows.delete):
        with pytest.raises(NotFound):
            await use("blue", made.id)
    assert [one.id for one in (await rows.list("green", Slice())).items] == [made.id]
    assert (await rows.list("green", Slice(), name="other")).items == []


async def test_use_puts_the_expiry_off(rows: Containers, clock: Clock) -> None:
    made = await make(rows)
    clock.at += 19 * 60
    used = await rows.use("green", made.id)
    assert (used.last_active_at, used.expires_at) == (clock.at, clock.at + 20 * 60)
    clock.at += 20 * 60
    assert (await rows.get("green", made.id)).is_expired
    with pytest.raises(InvalidRequest, match="Container is expired"):
        await rows.use("green", made.id)


async def test_what_has_expired_loses_its_files_at_once_and_its_name_in_a_day(
    rows: Containers, inside: ContainerFiles, kept: Blobs, database: Database, clock: Clock
) -> None:
    made = await make(rows)
    await inside.add(made.sequence, "a.txt", await kept.put(stream(b"a")), most_bytes=MOST)
    sweep = ExpiredContainers(database, clock=clock)
    await sweep.sweep()
    assert await count(database, blobs_table) == 1
    assert await database.read(next_sweep_at) == made.expires_at + 1
    clock.at = made.expires_at
    await sweep.sweep()
    assert await inside.all(made.sequence) == []
    assert await count(database, blobs_table) == 0
    assert (await rows.get("green", made.id)).is_expired
    clock.at += TOMBSTONE_SECONDS + 1
    assert (await database.read(next_sweep_at) or 0) <= clock.at
    await sweep.sweep()
    with pytest.raises(NotFound):
        await rows.get("green", made.id)
    clock.at += TOMBSTONE_SECONDS + 1
    await sweep.sweep()
    assert await count(database, containers) == await count(database, container_files) == 0
    assert await database.read(next_sweep_at) is None


async def test_a_kept_file_is_copied_and_outlives_the_copy(
    rows: Containers, inside: ContainerFiles, kept: Blobs, database: Database
) -> None:
    files = Files(database)
    new = NewFile(blob=await kept.put(stream(b"1,2")), filename="data.csv", purpose="assistants")
    uploaded = await files.create("green", new)
    made = await make(rows, file_ids=[uploaded.id, uploaded.id])
    (copy,) = await inside.all(made.sequence)
    assert (copy.path, copy.source, copy.bytes, copy.file_id) == ("data.csv", "user", 3, uploaded.id)
    assert await inside.copy(made.sequence, "green", [uploaded.id], most_bytes=MOST) == []
    await files.delete("green", uploaded.id)
    assert b"".join([piece async for piece in kept.read(copy.digest)]) == b"1,2"
    await rows.delete("green", made.id)
    assert await count(database, blobs_table) == 0


async def test_a_file_of_another_project_is_not_copied_and_nothing_is_made(
    rows: Containers, kept: Blobs, database: Database
) -> None:
    new = NewFile(blob=await kept.put(stream(b"1")), filename="data.csv", purpose="assistants")
    uploaded = await Files(database).create("blue", new)
    with pytest.raises(NotFound):
        await make(rows, file_ids=[uploaded.id])
    assert await count(database, containers) == 0


async def test_two_files_of_one_name_are_both_there(rows: Containers, inside: ContainerFiles, kept: Blobs) -> None:
    made = await make(rows)
    for content in (b"one", b"two"):
        await inside.add(made.sequence, "../a b.txt", await kept.put(stream(content)), most_bytes=MOST)
    first, second = await inside.all(made.sequence)
    assert first.path == "a b.txt"
    assert second.path.endswith("-a b.txt")
    assert "/" not in second.path


async def test_what_does_not_fit_is_refused(rows: Containers, inside: ContainerFiles, kept: Blobs) -> None:
    made = await make(rows)
    await inside.add(made.sequence, "a", await kept.put(stream(bytes(60))), most_bytes=100)
    with pytest.raises(InvalidRequest, match="120 bytes"):
        await inside.add(made.sequence, "b", await kept.put(stream(bytes(60))), most_bytes=100)


async def test_new_content_of_a_file_keeps_its_id(
    rows: Containers, inside: ContainerFiles, kept: Blobs, database: Database
) -> None:
    made = await make(rows)
    first = await inside.keep(made.sequence, "out/a.txt", await kept.put(stream(b"one")))
    again = await inside.keep(made.sequence, "out/a.txt", await kept.put(stream(b"other")))
    assert (again.id, again.bytes, again.source, again.filename) == (first.id, 5, "assistant", "a.txt")
    same = await inside.keep(made.sequence, "out/a.txt", await kept.put(stream(b"other")))
    assert same == again
    assert await count(database, blobs_table) == 1
    await inside.forget(made.sequence, ["out/a.txt"])
    assert await inside.all(made.sequence) == []
    assert await count(database, blobs_table) == 0
    with pytest.raises(NotFound):
        await inside.get(made.sequence, first.id)


async def test_pages_go_on_behind_a_deleted_file(rows: Containers, inside: ContainerFiles, kept: Blobs) -> None:
    made = await make(rows)
    for number in range(5):
        await inside.keep(made.sequence, f"{number}", await kept.put(stream(b"x")))
    first = await inside.page(made.sequence, Slice(limit=2, order="asc"))
    assert ([one.path for one in first.items], first.has_more) == (["0", "1"], True)
    await inside.delete(made.sequence, first.items[-1].id)
    rest = await inside.page(made.sequence, Slice(limit=9, order="asc", after=first.items[-1].id))
    assert ([one.path for one in rest.items], rest.has_more) == (["2", "3", "4"], False)
