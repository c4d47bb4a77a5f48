"""Jobs are started once, and paused, resumed and cancelled whether they wait or run; with a real runner."""

import pytest
import sqlalchemy as sa

from job_running import Jobs
from smalt.store.tables import job_runners
from smalt.store.tables import jobs as table


@pytest.fixture
async def jobs(tmp_path, store_url):
    made = Jobs(tmp_path, store_url)
    yield made
    await made.close()


async def test_a_job_that_is_asked_for_twice_is_done_once(jobs):
    await jobs.put(jobs.job("one", steps=2), jobs.job("one", steps=5))
    jobs.start()
    await jobs.until_status("succeeded", "one")
    await jobs.put(jobs.job("one", steps=3))
    await jobs.put(jobs.job("two"))
    await jobs.until_status("succeeded", "two")
    assert jobs.diary.lines().count("one attempt") == 1
    assert jobs.diary.lines()[5] == "one results 1"


async def test_a_finished_job_says_when_it_began_and_ended_and_how_far_it_came(jobs):
    await jobs.put(jobs.job("one", steps=3))
    jobs.start()
    row = (await jobs.until_status("succeeded", "one"))["one"]
    assert row.created_at <= row.started_at <= row.finished_at
    assert (row.attempts, row.progress, row.error) == (1, {"done": 3}, None)


async def test_what_a_handler_raises_makes_its_job_fail_and_reaches_its_object(jobs):
    await jobs.put(jobs.job("one", steps=3, fail_at=1))
    jobs.start()
    row = (await jobs.until_status("failed", "one"))["one"]
    assert row.error == "ValueError: the disk is full of eels"
    assert jobs.diary.lines()[-1] == "one failed ValueError:_the_disk_is_full_of_eels"
    assert "one end 1" not in jobs.diary.lines()


async def test_a_running_job_is_cancelled_in_the_middle_of_a_step(jobs):
    await jobs.put(jobs.job("one", steps=3, seconds=30))
    jobs.start()
    await jobs.until_diary("one begin 0")
    await jobs.ask("cancel", "one")
    row = (await jobs.until_status("cancelled", "one", seconds=4))["one"]
    assert row.error == "It was cancelled."
    assert jobs.diary.lines() == ["one attempt", "one begin 0", "one cancelled It_was_cancelled."]


async def test_a_waiting_job_is_cancelled_before_its_turn(jobs):
    await jobs.put(jobs.job("first", "files", seconds=3), jobs.job("second", "files"))
    jobs.start(ingestion=1)
    await jobs.until_diary("first begin 0")
    await jobs.until(lambda rows: rows["second"].is_dispatched)
    await jobs.ask("cancel", "second")
    rows = await jobs.until_status("cancelled", "second", seconds=3)
    assert rows["first"].status == "running"
    await jobs.until_status("succeeded", "first")
    assert [line for line in jobs.diary.lines() if line.startswith("second")] == ["second cancelled It_was_cancelled."]


async def test_a_job_is_cancelled_and_paused_before_a_runner_has_seen_it(jobs):
    await jobs.put(jobs.job("cancelled"), jobs.job("paused"))
    await jobs.ask("cancel", "cancelled")
    await jobs.ask("pause", "paused")
    jobs.start()
    await jobs.until_status("cancelled", "cancelled")
    await jobs.until_status("paused", "paused")
    assert jobs.diary.lines() == ["cancelled cancelled It_was_cancelled."]
    await jobs.ask("resume", "paused")
    await jobs.until_status("succeeded", "paused")


async def test_a_paused_job_goes_on_where_it_was(jobs):
    await jobs.put(jobs.job("one", steps=4, seconds=0.5))
    jobs.start()
    await jobs.until_diary("one end 1")
    await jobs.ask("pause", "one")
    row = (await jobs.until_status("paused", "one", seconds=4))["one"]
    assert row.runner is None
    before = jobs.diary.lines()
    await jobs.ask("resume", "one")
    await jobs.until_status("succeeded", "one")
    after = jobs.diary.lines()[len(before) :]
    assert after[0] == "one attempt"
    assert "one end 0" not in after
    assert "one end 1" not in after
    assert after[-1] == "one results 6"


async def test_a_paused_job_stays_paused_when_its_runner_is_replaced(jobs):
    await jobs.put(jobs.job("one", steps=4, seconds=0.5))
    first = jobs.start()
    await jobs.until_diary("one end 0")
    await jobs.ask("pause", "one")
    await jobs.until_status("paused", "one")
    first.kill()
    first.wait()
    jobs.start()
    await jobs.put(jobs.job("two", steps=4, seconds=0.3))
    await jobs.until_status("succeeded", "two")
    assert (await jobs.row("one")).status == "paused"
    await jobs.ask("cancel", "one")
    await jobs.until_status("cancelled", "one")


async def test_a_job_that_has_ended_cannot_be_cancelled(jobs):
    await jobs.put(jobs.job("one"))
    jobs.start()
    await jobs.until_status("succeeded", "one")
    await jobs.ask("cancel", "one")
    assert (await jobs.row("one")).wanted == "run"


async def change(jobs, job_id, **values):
    statement = sa.update(table).where(table.c.id == job_id).values(values)
    await jobs.database.write(lambda connection: connection.execute(statement))


async def test_what_a_kill_left_between_the_table_and_dbos_is_put_right(jobs):
    """The states that a killed runner can leave behind, made by hand: each job is done all the same."""
    names = ("undelivered", "abandoned", "paused", "cancelled")
    await jobs.put(*(jobs.job(name) for name in names))
    await change(jobs, "undelivered", is_dispatched=True)
    await change(jobs, "abandoned", is_dispatched=True, status="running", runner="runner_gone", attempts=1)
    await change(jobs, "paused", is_dispatched=True, status="running", runner="runner_gone", attempts=1, wanted="pause")
    await change(jobs, "cancelled", is_dispatched=True, status="running", runner="runner_gone", wanted="cancel")
    # This one is written down as alive, and is never heard of.
    row = {"id": "runner_gone", "started_at": 1, "heard_at": 1}
    await jobs.database.write(lambda connection: connection.execute(sa.insert(job_runners).values(row)))
    jobs.start()
    await jobs.until_status("succeeded", "undelivered", "abandoned")
    await jobs.until_status("paused", "paused")
    await jobs.until_status("cancelled", "cancelled")
    assert jobs.diary.lines().count("undelivered attempt") == jobs.diary.lines().count("abandoned attempt") == 1


async def test_a_job_that_was_begun_too_often_fails(jobs):
    await jobs.put(jobs.job("one"))
    await change(jobs, "one", attempts=3)
    jobs.start(attempts=3)
    row = (await jobs.until_status("failed", "one"))["one"]
    assert row.error.startswith("It was begun 3 times and never ended.")
    assert jobs.diary.lines()[0].startswith("one failed")


async def test_finished_jobs_are_forgotten_after_their_time(jobs):
    await jobs.put(jobs.job("one", steps=2), jobs.job("two", seconds=4))
    jobs.start(keep_days=0)
    await jobs.until(lambda rows: "one" not in rows)
    assert "one results 1" in jobs.diary.lines()
    # Its id may be used again, because DBOS has forgotten it too.
    await jobs.put(jobs.job("one", steps=3))
    await jobs.until_diary("one results 3")
