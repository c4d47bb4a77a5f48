"""Jobs are done once, whatever happens to the processes that work on them."""

import asyncio
import random
import signal
from collections import Counter

import pytest

from job_running import Jobs

STEPS = 8
KILLS = 8


@pytest.fixture
async def jobs(tmp_path, store_url):
    made = Jobs(tmp_path, store_url)
    yield made
    await made.close()


def ends(jobs, job_id):
    """The numbers of the steps that were done, in the order they were done."""
    return [int(line.split()[2]) for line in jobs.diary.lines() if line.startswith(f"{job_id} end ")]


def each_once(numbers):
    """The order of a killed job's effects: a step may be done again only directly, before the next one."""
    return [number for index, number in enumerate(numbers) if index == 0 or numbers[index - 1] != number]


async def test_a_job_ends_with_every_step_in_its_order_however_often_its_runner_is_killed(jobs):
    randomly = random.Random(11)
    await jobs.put(jobs.job("long", steps=STEPS, seconds=0.15))
    for attempt in range(1, KILLS + 1):
        runner = jobs.start()
        await jobs.until(lambda rows, least=attempt: rows["long"].attempts >= least)
        await asyncio.sleep(randomly.uniform(0, 0.35))
        runner.kill()
        runner.wait()
        if (await jobs.row("long")).finished_at is not None:
            break
    jobs.start()
    await jobs.until_status("succeeded", "long")
    done = ends(jobs, "long")
    assert each_once(done) == list(range(STEPS))
    # Only a step whose end was written by the handler, and not yet recorded, may have been done twice.
    assert len(done) - STEPS <= KILLS
    assert jobs.diary.lines()[-1] == f"long results {sum(range(STEPS))}"
    assert (await jobs.row("long")).attempts > 3


async def test_steps_are_found_again_by_name_when_the_handler_does_fewer_after_a_kill(jobs):
    await jobs.put(jobs.job("shrinking", "shrinking", steps=6, seconds=0.4))
    runner = jobs.start()
    await jobs.until_diary("shrinking end 2")
    runner.kill()
    runner.wait()
    jobs.start()
    await jobs.until_status("succeeded", "shrinking")
    assert ends(jobs, "shrinking") == list(range(6))


async def test_two_runners_do_fifty_jobs_once_each(jobs):
    names = [f"job{number}" for number in range(50)]
    await jobs.put(*(jobs.job(name, steps=2) for name in names))
    jobs.start(), jobs.start()
    await jobs.until_status("succeeded", *names, seconds=90)
    counts = Counter(jobs.diary.lines())
    assert set(counts.values()) == {1}
    assert counts.keys() >= {f"{name} attempt" for name in names}
    assert {row.attempts for row in (await jobs.rows()).values()} == {1}


async def test_a_queue_works_on_no_more_jobs_at_once_than_it_may_over_two_runners(jobs):
    names = [f"file{number}" for number in range(8)]
    await jobs.put(*(jobs.job(name, "files", seconds=0.4) for name in names))
    jobs.start(ingestion=2), jobs.start(ingestion=2)
    await jobs.until_status("succeeded", *names)
    at_once, most = 0, 0
    for line in jobs.diary.lines():
        at_once += {"begin": 1, "end": -1}.get(line.split()[1], 0)
        most = max(most, at_once)
    assert most == 2


async def test_a_killed_runner_s_jobs_go_on_at_once_in_another_of_its_machine(jobs):
    first = jobs.start(silence_seconds=60)
    await jobs.put(jobs.job("long", steps=4, seconds=0.5))
    await jobs.until_diary("long end 1")
    jobs.start(silence_seconds=60)
    first.kill()
    first.wait()
    await jobs.until_status("succeeded", "long", seconds=25)
    assert each_once(ends(jobs, "long")) == [0, 1, 2, 3]
    assert (await jobs.row("long")).attempts == 2


async def test_a_runner_that_was_taken_for_dead_does_not_go_on_with_its_jobs(jobs):
    stopped = jobs.start()
    await jobs.put(jobs.job("long", steps=6, seconds=0.5))
    await jobs.until_diary("long end 0")
    await asyncio.to_thread(jobs.stop_outside_transactions, stopped)
    jobs.start()
    await jobs.until_diary("long end 2")
    stopped.send_signal(signal.SIGCONT)
    await jobs.until_status("succeeded", "long")
    assert await asyncio.to_thread(stopped.wait, 20) == 75
    by_step = Counter(line for line in jobs.diary.lines() if " end " in line)
    # The step that it was in the middle of is the only one that both may have finished.
    assert sum(by_step.values()) <= 7
    began = [line for line, pid in zip(jobs.diary.lines(), jobs.diary.processes(), strict=True) if pid == stopped.pid]
    assert len([line for line in began if " begin " in line]) <= 3
    assert (await jobs.row("long")).attempts == 2


async def test_a_runner_that_is_told_to_stop_leaves_its_jobs_to_the_next(jobs):
    first = jobs.start()
    await jobs.put(jobs.job("long", steps=5, seconds=0.4), jobs.job("stubborn", "stubborn"))
    await jobs.until_diary("long end 1")
    first.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.wait, 6) == 0
    assert {row.status for row in (await jobs.rows()).values()} == {"queued"}
    jobs.start()
    await jobs.until_status("succeeded", "long", "stubborn")
    assert each_once(ends(jobs, "long")) == [0, 1, 2, 3, 4]
    assert each_once(ends(jobs, "stubborn")) == list(range(30))
