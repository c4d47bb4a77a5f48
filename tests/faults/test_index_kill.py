"""The worker with the index is killed at any moment; what is found afterwards is what the store has."""

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from faults.conftest import StartHost
from indexed_stores import IndexedStore, asking
from smalt.core.errors import EngineFailed
from smalt.core.settings import Settings
from smalt.engines.host.client import EngineHost
from smalt.engines.protocols import WorkerAddress, WorkerSpec
from smalt.retrieval.index import open_index
from smalt.retrieval.index.embedded import EmbeddedIndex, worker_spec
from smalt.store.database import Database, default_database
from smalt.store.migrating import migrate

KILLS = int(os.environ.get("SMALT_TEST_KILLS", "10"))
HASTY = {"follow_seconds": 0.05, "quiet_seconds": 0.0, "longest_unsaved_seconds": 0.0}


class Starter:
    """Starts the worker as the engine host does, but at once, however often it was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._starting = asyncio.Lock()
        self._address: WorkerAddress | None = None

    @asynccontextmanager
    async def lease(self, spec: WorkerSpec) -> AsyncIterator[WorkerAddress]:
        async with self._starting:
            if self._process is None or self._process.poll() is not None:
                self._address = await asyncio.to_thread(self._start, spec)
        assert self._address
        yield self._address

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process = None

    def _start(self, spec: WorkerSpec) -> WorkerAddress:
        self._starts += 1
        socket_path = str(self._folder / f"{self._starts}.sock")
        told, tells = os.pipe()
        command = [sys.executable, "-m", "smalt.engines.worker", "--socket", socket_path, "--ready-fd", str(tells)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(tells,))
        os.close(tells)
        self._process.stdin.write(json.dumps({"target": spec.target, "options": spec.options}).encode() + b"\n")
        self._process.stdin.flush()
        with os.fdopen(told) as report:
            if not report.readline():
                raise EngineFailed("it was killed while it started")
        return WorkerAddress(socket_path, {})


@asynccontextmanager
async def indexed(folder: Path) -> AsyncIterator[tuple[EmbeddedIndex, IndexedStore, Starter]]:
    """An index that writes a snapshot whenever it can, over a new database."""
    migrate(default_database(folder))
    database = Database.open(default_database(folder))
    starter = Starter(folder)
    spec = worker_spec(Settings(data_dir=folder))
    index = EmbeddedIndex(replace(spec, options={**spec.options, "pace": HASTY}), starter)
    try:
        yield index, await IndexedStore(database).make(), starter
    finally:
        await index.close()
        starter.kill()
        await database.close()


async def found(index: EmbeddedIndex, store: IndexedStore, mode: str) -> set[tuple[int, int]]:
    """Every chunk that the index has; the worker may be killed under it, and then the next one is asked."""
    query = asking(store.number, store.version, "word", mode=mode, limit=5000)
    while True:
        try:
            hits = await index.search(query)
        except EngineFailed:
            continue
        assert len(hits) == len({(hit.file, hit.position) for hit in hits}), "a chunk is found once"
        return {(hit.file, hit.position) for hit in hits}


def largest_files(folder: Path) -> list[Path]:
    texts = sorted(folder.glob("text-*/*.*"), key=lambda path: -path.stat().st_size)
    return [*folder.glob("vectors/*.block"), *texts[:4]]


def damage(path: Path) -> None:
    if path.exists() and (data := bytearray(path.read_bytes())):
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 the file system tells nobody
        await asyncio.sleep(0.05)


@pytest.mark.timeout(60 + 12 * KILLS)
async def test_a_killed_index_never_disagrees_with_the_store(tmp_path: Path) -> None:
    random_ = random.Random(11)  # the order of changes; the moments of the kills are the machine's
    async with indexed(tmp_path) as (index, store, starter):
        there: dict[int, int] = {}
        for _ in range(KILLS):
            for _ in range(random_.randint(1, 4)):
                if there and random_.random() < 0.4:
                    gone = random_.choice(sorted(there))
                    await store.remove(gone)
                    del there[gone]
                else:
                    count = random_.randint(1, 40)
                    there[await store.put([f"word number {n}" for n in range(count)])] = count
            searching = asyncio.ensure_future(found(index, store, "semantic"))
            await asyncio.sleep(random_.random() * 0.4)
            starter.kill()
            expected = {(file, position) for file, count in there.items() for position in range(count)}
            assert await searching == expected
            assert await found(index, store, "text") == expected


async def test_a_damaged_snapshot_is_made_again(tmp_path: Path) -> None:
    async with indexed(tmp_path) as (index, store, starter):
        file = await store.put([f"word number {n}" for n in range(50)])
        expected = {(file, position) for position in range(50)}
        assert await found(index, store, "semantic") == expected
        folder = tmp_path / "index" / str(store.number)
        await until(lambda: bool(list(folder.glob("vectors/manifest.json"))))
        for path in largest_files(folder):
            starter.kill()
            damage(path)
            assert await found(index, store, "semantic") == expected, path
            assert await found(index, store, "text") == expected, path
        starter.kill()
        (folder / "vectors" / "manifest.json").write_text("nonsense")
        assert await found(index, store, "semantic") == expected


async def test_folders_of_deleted_stores_are_removed(tmp_path: Path) -> None:
    async with indexed(tmp_path) as (index, store, starter):
        await store.put(["word"])
        other = await IndexedStore(store.database).make()
        await other.put(["word"])
        assert await found(index, store, "text")
        assert await found(index, other, "text")
        starter.kill()
        await store.delete()
        assert await found(index, other, "text")
        await until(lambda: not (tmp_path / "index" / str(store.number)).exists())
        assert (tmp_path / "index" / str(other.number)).exists()


async def test_an_older_database_put_back_is_noticed(tmp_path: Path) -> None:
    async with indexed(tmp_path) as (index, store, starter):
        first = await store.put(["word one"])
        assert await found(index, store, "semantic") == {(first, 0)}
        backup = tmp_path / "backup.db"
        with closing(sqlite3.connect(default_database(tmp_path))) as connection:
            connection.execute("VACUUM INTO ?", (str(backup),))
        second = await store.put(["word two", "word three"])
        assert await found(index, store, "semantic") == {(first, 0), (second, 0), (second, 1)}
        manifest = tmp_path / "index" / str(store.number) / "vectors" / "manifest.json"
        await until(lambda: f"[{second}," in manifest.read_text().replace("[[", "["))
        await store.database.close()
        starter.kill()
        for ending in ("-wal", "-shm"):
            Path(f"{default_database(tmp_path)}{ending}").unlink(missing_ok=True)  # noqa: ASYNC240 nothing else runs here
        shutil.copy(backup, default_database(tmp_path))
        store.database = Database.open(default_database(tmp_path))
        store.ids = 77
        third = await store.put(["word four"])
        assert third == second
        assert await found(index, store, "semantic") == {(first, 0), (third, 0)}
        assert await found(index, store, "text") == {(first, 0), (third, 0)}
        await store.database.close()


async def test_the_engine_host_starts_the_index_again(launch: StartHost, tmp_path: Path) -> None:
    migrate(default_database(tmp_path))
    database = Database.open(default_database(tmp_path))
    host = await EngineHost.connect(launch().socket_path)
    index = open_index(Settings(data_dir=tmp_path), host, database)
    assert isinstance(index, EmbeddedIndex)
    store = await IndexedStore(database).make()
    file = await store.put(["word"])
    assert await found(index, store, "text") == {(file, 0)}
    (worker,) = await host.status()
    os.kill(worker.pid, signal.SIGKILL)
    another = await store.put(["word"])
    assert await found(index, store, "text") == {(file, 0), (another, 0)}
    await index.close()
    await host.close()
    await database.close()
