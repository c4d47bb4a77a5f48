"""Job runners for tests: real processes over a database of their own, which may be killed and stopped."""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

import job_targets
from job_targets import Diary, job
from smalt.jobs.queue import JobQueue
from smalt.store.database import Database
from smalt.store.tables import jobs as table

# A runner is forked from a process that has imported what runners need and done nothing: it is there at once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["smalt.app.handlers", "smalt.app.schedules", "smalt.jobs.service"])
QUICK = {"poll_seconds": 0.1, "silence_seconds": 2.0}


class Runner:
    """A job runner, with what `subprocess.Popen` has for a process."""

    def __init__(self, log, *arguments):
        self.process = FORKS.Process(target=run_in_child, args=(log, *arguments))
        self.process.start()
        self.pid = self.process.pid

    def send_signal(self, number):
        if self.process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self):
        self.process.kill()

    def wait(self, seconds=None):
        self.process.join(seconds)
        assert self.process.exitcode is not None, "the runner goes on"
        return self.process.exitcode


def run_in_child(log, folder, url, jobs):
    """Run jobs, with what is written to the terminal in a file."""
    with log.open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    asyncio.run(job_targets.run(folder, url, jobs))


class Jobs:
    """The jobs of one database, and the runners that a test starts for them."""

    def __init__(self, folder, url):
        self.folder = folder
        self.url = url
        self.database = Database.open(url)
        self.diary = Diary(folder / "diary")
        self.processes = []

    def start(self, **jobs):
        log = self.folder / f"runner{len(self.processes)}.log"
        runner = Runner(log, self.folder, self.url, QUICK | jobs)
        self.processes.append(runner)
        return runner

    async def put(self, *jobs):
        def write(connection):
            for one in jobs:
                JobQueue().put(connection, one)

        await self.database.write(write)

    async def ask(self, verb, job_id):
        await self.database.write(lambda connection: getattr(JobQueue(), verb)(connection, job_id))

    async def rows(self):
        query = sa.select(table)
        found = await self.database.read(lambda connection: connection.execute(query).all())
        return {row.id: row for row in found}

    async def row(self, job_id):
        return (await self.rows())[job_id]

    async def until(self, is_true, seconds=60):
        """Wait until `is_true(rows)`; the rows and the runners' logs are in the failure's message."""
        until = time.monotonic() + seconds
        while not is_true(rows := await self.rows()):
            assert time.monotonic() < until, f"{rows}\n{self.logs()}"
            await asyncio.sleep(0.05)
        return rows

    async def until_status(self, status, *job_ids, seconds=60):
        return await self.until(lambda rows: {rows[name].status for name in job_ids} == {status}, seconds)

    async def until_diary(self, line, seconds=60):
        await self.until(lambda _rows: line in self.diary.lines(), seconds)

    def job(self, name, kind="steps", **given):
        return job(name, self.diary, kind, **given)

    def logs(self):
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("runner*.log")))

    def stop_outside_transactions(self, process):
        """SIGSTOP a runner; on SQLite at a moment when it holds no lock, which would stop everybody else too."""
        while True:
            process.send_signal(signal.SIGSTOP)
            while not is_stopped(process.pid):
                time.sleep(0.01)
            if all(is_free(path) for path in self.folder.glob("*.db")):
                return
            process.send_signal(signal.SIGCONT)
            time.sleep(0.05)

    async def close(self):
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        await self.database.close()


def is_stopped(pid):
    """Whether every thread of a process has stopped: one that was on a processor may go on after the signal's call."""
    with suppress(FileNotFoundError):
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
        return {thread.rpartition(")")[2].split()[0] for thread in threads} <= {"T"}
    return False


def is_free(path):
    """Whether a SQLite database can be written to now."""
    connection = sqlite3.connect(path, timeout=0.2, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE").close()
        connection.execute("ROLLBACK").close()
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True
