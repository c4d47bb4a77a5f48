"""`smalt jobs`, with no server and with the rows that one would have left."""

import asyncio
import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from smalt.cli.commands import app
from smalt.core.errors import Conflict, NotFound
from smalt.jobs.protocols import NewJob
from smalt.jobs.queue import JobQueue
from smalt.store.database import Database, default_database
from smalt.store.migrating import migrate
from smalt.store.tables import jobs as table


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command over a data folder with four jobs; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALT_DATA_DIR", str(tmp_path))
    asyncio.run(fill(tmp_path))

    def run(*arguments):
        result = CliRunner().invoke(app, ["jobs", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    return run


async def fill(data_dir):
    path = default_database(data_dir)
    migrate(path)
    database = Database.open(path)
    rows = {
        "one": {"status": "succeeded", "created_at": 10, "started_at": 11, "finished_at": 12, "attempts": 2},
        "two": {"status": "running", "created_at": 20, "progress": {"files": {"total": 3, "ended": 1}}},
        "three": {"status": "queued", "created_at": 30, "kind": "evaluate"},
        "four": {"status": "failed", "created_at": 40, "finished_at": 41, "error": "It was too dark.", "project": "b"},
    }

    def write(connection):
        for name, values in rows.items():
            JobQueue().put(connection, NewJob(name, "ingest", "a", "ingestion", {"files": [1]}))
            connection.execute(sa.update(table).where(table.c.id == name).values(values))

    await database.write(write)
    await database.close()


def ids(output):
    return [job["id"] for job in json.loads(output)]


def test_the_newest_jobs_come_first_and_no_more_than_asked_for(run):
    assert ids(run("list", "--json")) == ["four", "three", "two", "one"]
    assert ids(run("list", "--limit", "2", "--json")) == ["four", "three"]


def test_jobs_are_filtered_by_status_kind_and_project(run):
    assert ids(run("list", "--status", "running", "--json")) == ["two"]
    assert ids(run("list", "--kind", "evaluate", "--json")) == ["three"]
    assert ids(run("list", "--project", "b", "--json")) == ["four"]
    assert ids(run("list", "--project", "b", "--status", "queued", "--json")) == []


def test_the_table_shows_how_far_a_job_is(run):
    line = next(line for line in run("list").splitlines() if "two" in line)
    assert "running" in line
    assert "files total 3 ended 1" in line


def test_a_job_is_shown_with_its_error(run):
    assert "It was too dark." in run("show", "four")
    shown = json.loads(run("show", "one", "--json"))
    assert (shown["attempts"], shown["finished_at"], shown["input"]) == (2, 12, {"files": [1]})


def test_what_is_asked_for_is_seen_until_it_is_done(run):
    assert "The job 'two' of project 'a' will be paused." in run("pause", "two")
    assert "running, pausing" in run("list")
    assert "goes on" in run("resume", "two")
    assert "pausing" not in run("list")
    assert json.loads(run("cancel", "two", "--json"))["wanted"] == "cancel"
    assert "running, cancelling" in run("list")


def test_a_job_that_is_not_there_or_has_ended_cannot_be_changed(run):
    with pytest.raises(NotFound, match="There is no job 'nine'"):
        run("show", "nine")
    with pytest.raises(NotFound, match="smalt jobs list"):
        run("cancel", "nine")
    with pytest.raises(Conflict, match="'four' has ended already: it failed"):
        run("cancel", "four")
    run("cancel", "three")
    with pytest.raises(Conflict, match="'three' is being cancelled"):
        run("resume", "three")
