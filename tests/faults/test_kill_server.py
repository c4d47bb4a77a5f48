"""A server that is killed again and again, while clients work, keeps every promise that it made.

`SMALT_TEST_KILLS` says how often; `make faults` asks for a hundred.
"""

import os
import random
import threading
import time

import pytest

from doomed import Doomed, kill
from ledger import Owner, verify

KILLS = int(os.environ.get("SMALT_TEST_KILLS", "4"))
OWNERS = 3
SECONDS = (0.0, 2.0)
"""How long the clients work before a kill."""

SETTINGS = """
starter = false
[deployments.echo]
engine = "echo"
[retrieval]
embedding_model = "echo"
[storage]
sweep_after_seconds = 2
[jobs]
poll_seconds = 0.2
[log]
level = "warning"
"""


@pytest.mark.timeout(60 + 30 * KILLS)
def test_whatever_was_acknowledged_outlives_every_kill(tmp_path):
    doomed = Doomed(tmp_path, SETTINGS)
    chance = random.Random(KILLS)
    with doomed.living() as (client, _):
        stores = [client.vector_stores.create(name=f"store {number}").id for number in range(2)]
    owners = [Owner(number, stores) for number in range(OWNERS)]
    for _ in range(KILLS):
        with doomed.living() as (client, process):
            work_until_killed(client, process, owners, seconds=chance.uniform(*SECONDS))
    assert sum(owner.operations for owner in owners) > KILLS
    with doomed.living() as (client, _):
        wait_for(lambda: not unfinished(client, stores), "every file's ingestion ends")
        wait_for(lambda: not doomed.rows("SELECT id FROM jobs WHERE finished_at IS NULL"), "every job ends")
        for owner in owners:
            verify(client, owner.files)
        wait_for(lambda: not orphans(doomed), "nothing is left that nobody refers to")


def work_until_killed(client, process, owners, *, seconds):
    stop, failures = threading.Event(), []

    def run(owner):
        try:
            owner.work(client, stop)
        except Exception as error:  # noqa: BLE001 - told by the thread that asserts
            failures.append(error)

    threads = [threading.Thread(target=run, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    kill(process)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []


def unfinished(client, stores):
    return [store for store in stores if client.vector_stores.retrieve(store).file_counts.in_progress]


def wait_for(is_so, what, seconds=90):
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.2)


ORPHANS = {
    "chunks of files that are not there": """
        SELECT DISTINCT c.file FROM chunks c LEFT JOIN vector_store_files f
        ON f.sequence = c.file AND f.deleted_at IS NULL AND f.status = 'completed' WHERE f.sequence IS NULL""",
    "vectors of files that are not there": """
        SELECT DISTINCT v.file FROM chunk_vectors v LEFT JOIN vector_store_files f
        ON f.sequence = v.file AND f.deleted_at IS NULL AND f.status = 'completed' WHERE f.sequence IS NULL""",
    "files with more or fewer chunks than they say": """
        SELECT f.sequence FROM vector_store_files f WHERE f.deleted_at IS NULL AND f.chunks <>
        (SELECT count(*) FROM chunks c WHERE c.file = f.sequence)""",
    "files with more or fewer vectors than chunks": """
        SELECT f.sequence FROM vector_store_files f WHERE f.deleted_at IS NULL AND f.chunks <>
        (SELECT coalesce(sum(v.count), 0) FROM chunk_vectors v WHERE v.file = f.sequence)""",
    "blobs that no file has": """
        SELECT digest FROM blobs WHERE digest NOT IN (SELECT digest FROM files WHERE digest IS NOT NULL)""",
    "blobs that wait for their end": "SELECT key FROM doomed_blobs",
}


def orphans(doomed):
    found = {what: rows for what, query in ORPHANS.items() if (rows := doomed.rows(query))}
    stored = {path.relative_to(doomed.data_dir / "blobs").as_posix() for path in files_in(doomed.data_dir / "blobs")}
    known = {key for (key,) in doomed.rows("SELECT key FROM blobs")}
    if stored != known:
        found["stored and not known, or known and not stored"] = stored ^ known
    if staged := files_in(doomed.data_dir / "staging"):
        found["uploads that were not finished"] = staged
    return found


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]
