"""A database with a run in it, and what works on its rows."""

import pytest

from smalt.connectors.runs.journal import Journal
from smalt.connectors.runs.steps import Step
from smalt.jobs.queue import JobQueue
from smalt.store.connector_run_rows import ended_rows
from smalt.store.connector_runs import ConnectorRuns, NewRow, StoredRun
from smalt.store.database import Database

STEP = Step(
    connector="openai-gpt", action="create_completion", given={"model": "m"}, mapping={"prompt": "On {{subject}}"}
)


@pytest.fixture
async def database(store_url):
    database = Database.open(store_url)
    yield database
    await database.close()


class Kept:
    """One run over rows of subjects, in a database."""

    def __init__(self, database):
        self.database = database
        self.runs = ConnectorRuns(database, JobQueue())
        self.run = StoredRun(
            id="run_1", connector=STEP.connector, action=STEP.action, step=STEP.as_json(), connection_id="local",
            url="http://127.0.0.1:1", output={}, columns=["subject"], created_at=1, job_id="run_1",
        )  # fmt: skip

    async def add(self, *subjects, fault=None):
        rows = [NewRow({"subject": subject}) for subject in subjects]
        await self.runs.add(self.run, [*rows, *([NewRow({}, fault)] if fault else [])])
        return self.journal()

    def journal(self):
        """What a worker has; the last one that took over is the run's."""
        return Journal(self.database, self.run)

    async def rows(self):
        return await ended_rows(self.database, "run_1", -1, 1000)

    async def statuses(self):
        return [row.status for row in await self.rows()]


@pytest.fixture
def kept(database):
    return Kept(database)
