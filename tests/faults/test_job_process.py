"""The job runner's process: started when there is something to do, replaced when it dies, gone with its server."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from job_targets import Diary, job
from serving import serving
from smalt.app.job_launcher import JobLauncher
from smalt.core.clock import now
from smalt.core.settings import Settings
from smalt.jobs.queue import JobQueue
from smalt.jobs.waking import wake_path
from smalt.store.database import Database, database_of
from smalt.store.migrating import migrate
from smalt.store.tables import files
from smalt.store.tables import jobs as table

pytestmark = pytest.mark.timeout(240)
TESTS = Path(__file__).parent.parent
SERVER = """
import sys, time
from pathlib import Path
from smalt.app.job_launcher import JobLauncher
from smalt.core.settings import Settings

with JobLauncher(Settings(data_dir=Path(sys.argv[1]), starter=False), None, workers=["job_targets:workers"]) as jobs:
    jobs.begin()
    print("ready", flush=True)
    time.sleep(600)
"""


class Place:
    """A data folder, its database, and what was done there."""

    def __init__(self, folder, **jobs):
        self.folder = folder
        self.settings = Settings(data_dir=folder, starter=False, jobs=jobs)
        (folder / "run").mkdir()
        migrate(database_of(self.settings))
        self.database = Database.open(database_of(self.settings))
        self.diary = Diary(folder / "diary")

    def write(self, work):
        return asyncio.run(self.database.write(work))

    def put(self, name, **given):
        queue = JobQueue(wake_path(self.folder))
        self.write(lambda connection: queue.put(connection, job(name, self.diary, **given)))
        queue.wake()

    def status(self, name):
        query = sa.select(table.c.status).where(table.c.id == name)
        return self.write(lambda connection: connection.execute(query).scalar_one())

    @contextmanager
    def launching(self, *more):
        with JobLauncher(self.settings, None, workers=["job_targets:workers", *more]) as launcher:
            launcher.begin()
            yield launcher


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    place = Place(tmp_path, poll_seconds=0.2, silence_seconds=8.0)
    yield place
    place.database.close_now()


def within(seconds, is_true):
    until = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.1)


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_nothing_is_started_until_there_is_a_job(place):
    with place.launching() as launcher:
        time.sleep(1)
        assert launcher.pid is None
        place.put("one", steps=2)
        within(60, lambda: place.status("one") == "succeeded")
        assert launcher.pid is not None
        pid = launcher.pid
    assert not is_running(pid)


def test_a_runner_with_nothing_left_to_do_ends_and_comes_back(place):
    place.settings.jobs.idle_seconds = 1
    place.put("one")
    with place.launching() as launcher:
        within(60, lambda: place.status("one") == "succeeded")
        within(60, lambda: launcher.pid is None)
        place.put("two")
        within(60, lambda: place.status("two") == "succeeded")


def test_a_killed_runner_is_replaced_and_its_job_goes_on(place):
    place.put("long", steps=4, seconds=0.5)
    with place.launching() as launcher:
        within(60, lambda: "long end 1" in place.diary.lines())
        killed = launcher.pid
        os.kill(killed, signal.SIGKILL)
        within(60, lambda: place.status("long") == "succeeded")
        assert launcher.pid != killed
    assert place.diary.lines().count("long end 0") == 1


def test_a_runner_that_hangs_is_killed_and_replaced(place):
    place.put("long", steps=4, seconds=0.5)
    with place.launching() as launcher:
        within(60, lambda: "long end 1" in place.diary.lines())
        hanging = launcher.pid
        os.kill(hanging, signal.SIGSTOP)
        within(60, lambda: place.status("long") == "succeeded")
        assert not is_running(hanging)
    assert place.diary.lines().count("long end 0") == 1


def test_the_runner_dies_with_its_server_and_the_next_one_goes_on(place):
    place.put("long", steps=4, seconds=0.5)
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(place.folder)], stdout=subprocess.PIPE)
    try:
        within(60, lambda: "long end 1" in place.diary.lines())
        family = psutil.Process(server.pid).children(recursive=True)
        assert family
    finally:
        server.kill()
        server.communicate()
    within(10, lambda: not any(is_running(process.pid) for process in family))
    assert place.status("long") != "succeeded"
    with place.launching():
        within(60, lambda: place.status("long") == "succeeded")
    assert place.diary.lines().count("long end 0") == 1
    assert place.diary.lines()[-1] == "long results 6"


def expiring_file(seconds):
    return {
        "id": "file-soon", "project": "default", "purpose": "batch", "filename": "soon.txt", "bytes": 0,
        "created_at": now(), "expires_at": now() + seconds, "status": "processed",
    }  # fmt: skip


def test_what_expires_is_swept_within_seconds_of_its_time_by_a_server_that_was_idle(place):
    row = expiring_file(15)
    place.write(lambda connection: connection.execute(sa.insert(files).values(row)))

    def deleted_at():
        query = sa.select(files.c.deleted_at).where(files.c.id == row["id"])
        return place.write(lambda connection: connection.execute(query).scalar_one())

    with serving(place.settings, jobs=True):
        within(60, lambda: deleted_at() is not None)
    assert 0 <= deleted_at() - row["expires_at"] <= 5


def test_a_sweep_without_a_schedule_goes_on_while_the_runner_runs(place):
    place.put("long", steps=1, seconds=4)
    with place.launching("job_targets:sweepers"):
        within(60, lambda: place.status("long") == "succeeded")
    swept = Diary(place.folder / "sweeps").times()
    assert 3 <= len(swept) <= swept[-1] - swept[0] + 2
