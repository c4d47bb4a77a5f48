"""Handlers and sweeps for tests of jobs, and a job runner without the rooms that these tests do not need."""

import asyncio
import os
import signal
import time
from pathlib import Path

from smalt.app.handlers import Workers
from smalt.app.schedules import schedules
from smalt.core.settings import Settings
from smalt.jobs.protocols import NewJob
from smalt.jobs.service import JobService
from smalt.store.database import Database, database_of


class Diary:
    """What handlers did, in the order they did it; a line is written whole or not at all."""

    def __init__(self, path):
        self.path = Path(path)

    def write(self, *words):
        line = " ".join(str(word) for word in (*words, os.getpid(), f"{time.time():.3f}")) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def lines(self):
        """Every line without the process and the time, which `times` has."""
        return [line.rsplit(" ", 2)[0] for line in self._read()]

    def processes(self):
        return [int(line.rsplit(" ", 2)[1]) for line in self._read()]

    def times(self):
        return [float(line.rsplit(" ", 1)[1]) for line in self._read()]

    def _read(self):
        return self.path.read_text().splitlines() if self.path.exists() else []


class Steps:
    """Does `steps` steps of `seconds` each, and writes each down: when it begins, and when it ends."""

    def __init__(self, kind="steps", queue="default"):
        self.kind = kind
        self.queue = queue

    async def run(self, context):
        diary, given = Diary(context.input["diary"]), context.input
        diary.write(context.id, "attempt")
        results = []
        for number in range(given.get("steps", 1)):

            async def work(number=number):
                diary.write(context.id, "begin", number)
                await asyncio.sleep(given.get("seconds", 0))
                if number == given.get("fail_at"):
                    raise ValueError("the disk is full of eels")
                diary.write(context.id, "end", number)
                return {"number": number}

            results.append(await context.step(f"step {number}", work))
            await context.report({"done": number + 1})
        diary.write(context.id, "results", sum(result["number"] for result in results))

    async def ended_early(self, job, status, reason):
        Diary(job.input["diary"]).write(job.id, status, reason.replace(" ", "_"))


class Shrinking(Steps):
    """Looks which steps are left, as a handler does that is driven by the database."""

    async def run(self, context):
        diary = Diary(context.input["diary"])
        done = {line.split()[2] for line in diary.lines() if " end " in line}
        for number in range(context.input["steps"]):
            if str(number) not in done:

                async def work(number=number):
                    await asyncio.sleep(context.input["seconds"])
                    diary.write(context.id, "end", number)

                await context.step(f"step {number}", work)


class Stubborn(Steps):
    """Does one thing in one long step, and cannot be interrupted by asking."""

    async def run(self, context):
        diary = Diary(context.input["diary"])
        for number in range(30):

            async def work(number=number):
                time.sleep(0.1)  # noqa: ASYNC251 - it is stubborn
                diary.write(context.id, "end", number)

            await context.step(f"step {number}", work)


class Broom:
    """A sweep that writes down when it sweeps."""

    name = "broom"
    seconds = 1.0

    def __init__(self, diary):
        self.diary = diary

    async def sweep(self):
        self.diary.write("swept")


HANDLERS = [Steps(), Steps("files", "ingestion"), Shrinking("shrinking"), Stubborn("stubborn")]


def workers(_rooms):
    """For the real job process: `--workers job_targets:workers`."""
    return Workers(HANDLERS)


def sweepers(rooms):
    return Workers(sweeps=[Broom(Diary(rooms.settings.data_dir / "sweeps"))])


def job(name, diary, kind="steps", **given):
    queue = next(handler.queue for handler in HANDLERS if handler.kind == kind)
    return NewJob(name, kind, given.pop("project", "default"), queue, {"diary": str(diary.path), **given})


async def run(data_dir, url, jobs):
    """Run jobs until told to stop, and end the process; `jobs` is the section of the settings."""
    settings = Settings(data_dir=data_dir, database={"url": url}, jobs=jobs)
    place = database_of(settings)
    database = Database.open(place)
    if place.get_backend_name() == "sqlite":
        place = Path(data_dir) / "jobs.db"
    service = JobService(settings, database, place, HANDLERS, schedules(settings), [])
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, service.stop)
    is_well = await service.run()
    await database.close()
    os._exit(0 if is_well else 75)
