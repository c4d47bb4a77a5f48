"""Wherever the process dies that keeps or forgets content: files have theirs, and nothing else is left behind."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from smalt.core.settings import StorageSettings
from smalt.store.blobs import Blobs
from smalt.store.cursors import Slice
from smalt.store.database import Database
from smalt.store.files import ExpiredFiles, Files
from smalt.store.tables import blob_holds, blobs, doomed_blobs

SIZE = 300_000

# A process that dies right before or after one of its steps, as if the power had failed there.
DYING = """
import asyncio, os, sys
from pathlib import Path
from smalt.core.settings import StorageSettings
from smalt.store.blobs import Blobs
from smalt.store.database import Database
from smalt.store.files import Files, NewFile

folder, url, where = sys.argv[1:]

class Fatal:
    def __init__(self, inner, part):
        self.inner, self.part = inner, part

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def step(*arguments, **named):
            at = f"{self.part}.{name}"
            if where == f"before {at}":
                os._exit(7)
            result = await found(*arguments, **named)
            if where == f"after {at}":
                os._exit(7)
            return result

        return step

async def content():
    yield b"a" * 300_000
    if where == "streaming":
        os._exit(7)

async def main():
    real = Database.open(url)
    kept = Blobs.open(StorageSettings(), Path(folder), real)
    kept._storage = Fatal(kept._storage, "storage")
    kept._database = Fatal(real, "ledger")
    files = Files(Fatal(real, "files"))
    file = await files.create("green", NewFile(blob=await kept.put(content()), filename="a", purpose="batch"))
    print("created", file.id, flush=True)
    await files.delete("green", file.id)
    print("deleted", file.id, flush=True)
    await kept.sweep()

asyncio.run(main())
"""

POINTS = [
    "streaming",
    "before ledger.write",
    "after ledger.write",
    "before storage.put",
    "after storage.put",
    "before files.write",
    "after files.write",
    "before storage.delete",
    "after storage.delete",
]

# A process that uploads, lists and deletes as fast as it can until it is killed; contents repeat on purpose.
BUSY = """
import asyncio, random, sys
from pathlib import Path
from smalt.core.settings import StorageSettings
from smalt.store.blobs import Blobs
from smalt.store.database import Database
from smalt.store.files import Files, NewFile

folder, url = sys.argv[1:]

async def content(number):
    for _ in range(3):
        yield bytes([number]) * 100_000
        await asyncio.sleep(0)

async def work(files, kept):
    mine = []
    while True:
        blob = await kept.put(content(random.randrange(4)))
        file = await files.create("green", NewFile(blob=blob, filename="a", purpose="batch"))
        print("created", file.id, flush=True)
        mine.append(file.id)
        if random.random() < 0.7:
            gone = mine.pop(random.randrange(len(mine)))
            print("deleting", gone, flush=True)
            await files.delete("green", gone)
            print("deleted", gone, flush=True)
        if random.random() < 0.1:
            await kept.sweep()

async def main():
    database = Database.open(url)
    kept = Blobs.open(StorageSettings(), Path(folder), database)
    await asyncio.gather(*(work(Files(database), kept) for _ in range(6)))

asyncio.run(main())
"""


async def settled(folder: Path, url: str) -> dict[str, bytes]:
    """Everything swept as if hours had passed; the content of each file, and nothing beside."""
    database = Database.open(url)
    later = int(time.time()) + 10_000
    kept = Blobs.open(StorageSettings(sweep_after_seconds=0.001), folder, database, clock=lambda: later)
    await asyncio.sleep(0.01)
    await ExpiredFiles(database).sweep()
    await kept.sweep()
    files = (await Files(database).list("green", Slice(limit=10_000))).items
    contents = {file.id: b"".join([chunk async for chunk in kept.read(file.digest)]) for file in files}
    on_disk = {path.name for path in (folder / "blobs").rglob("*") if path.is_file()}

    def rows(connection: sa.Connection) -> tuple[set[str], int]:
        keys = set(connection.execute(sa.select(blobs.c.key)).scalars())
        left = sum(
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (blob_holds, doomed_blobs)
        )
        return keys, left

    keys, left = await database.read(rows)
    assert left == 0
    assert {key.rpartition("/")[2] for key in keys} == on_disk
    assert {key[3:67] for key in keys} == {file.digest for file in files}
    await kept.close()
    await database.close()
    return contents


def said(output: str, word: str) -> set[str]:
    whole = [line.split() for line in output.splitlines(keepends=True) if line.endswith("\n")]
    return {words[1] for words in whole if words[0] == word}


def killed_in_the_middle(folder: Path, url: str) -> list[str]:
    """What two processes had to say before they were killed."""
    logs = [folder / f"log-{number}" for number in range(2)]
    workers: list[subprocess.Popen[bytes]] = []
    for log in logs:
        with log.open("wb") as output:
            command = [sys.executable, "-c", BUSY, str(folder), url]
            workers.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))
    until = time.monotonic() + 60
    while not all(log.stat().st_size for log in logs):
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(random.uniform(0.05, 0.5))
    for worker in workers:
        worker.kill()
        assert worker.wait() == -signal.SIGKILL
    told = [log.read_text() for log in logs]
    assert "Traceback" not in "".join(told)
    return told


@pytest.mark.parametrize("where", POINTS)
def test_a_death_between_two_steps_leaves_nothing_half_done(store_url: str, tmp_path: Path, where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path), store_url, where], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (7, "")
    contents = asyncio.run(settled(tmp_path, store_url))
    created, deleted = said(done.stdout, "created"), said(done.stdout, "deleted")
    assert created - deleted <= set(contents)
    assert all(content == b"a" * SIZE for content in contents.values())
    assert not deleted & set(contents)


def test_nothing_acknowledged_is_lost_and_nothing_is_left_over_after_many_kills(store_url: str, tmp_path: Path) -> None:
    rounds = int(os.environ.get("SMALT_FAULT_ROUNDS", "3"))
    created: set[str] = set()
    perhaps: set[str] = set()
    deleted: set[str] = set()
    for _ in range(rounds):
        output = "".join(killed_in_the_middle(tmp_path, store_url))
        created |= said(output, "created")
        perhaps |= said(output, "deleting")
        deleted |= said(output, "deleted")
        contents = asyncio.run(settled(tmp_path, store_url))
        assert created - perhaps <= set(contents)
        assert not deleted & set(contents)
        assert all(len(content) == SIZE and len(set(content)) == 1 for content in contents.values())
    assert created
    assert deleted
