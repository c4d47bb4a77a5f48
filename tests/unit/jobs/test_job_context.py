"""What a handler may do with its context, and what it is told."""

import pytest

from smalt.jobs.context import RunningContext
from smalt.jobs.durable import OwnershipLost
from smalt.jobs.protocols import JobStopped, NewJob
from smalt.jobs.rows import Claim


class Rows:
    """The table as one runner sees it: nothing stops the job, or `stop` does."""

    def __init__(self, stop=None):
        self.stop = stop

    async def stops(self, claims):
        return {claim.job.id: self.stop for claim in claims if self.stop}


class Recording:
    def __init__(self, error=None):
        self.recorded = {}
        self.error = error

    async def record(self, name, result):
        if self.error is not None:
            raise self.error
        self.recorded[name] = result
        return result


def context(rows=None, durable=None, recorded=None):
    claim = Claim(NewJob("one", "greet", "p", "default", {"name": "Ada"}), "runner_1", 1)
    return RunningContext(claim, rows or Rows(), durable or Recording(), recorded or {})


async def seven():
    return 7


async def never():
    raise AssertionError("this step was done before")


async def test_the_context_is_that_of_the_job():
    one = context()
    assert (one.id, one.project, one.input) == ("one", "p", {"name": "Ada"})


async def test_a_step_is_done_and_recorded_under_its_name():
    durable = Recording()
    assert await context(durable=durable).step("count", seven) == 7
    assert durable.recorded == {"count": 7}


async def test_a_recorded_step_is_not_done_again():
    assert await context(recorded={"count": 3}).step("count", never) == 3


async def test_two_steps_of_one_name_are_refused():
    one = context()
    await one.step("count", seven)
    with pytest.raises(ValueError, match="'count'"):
        await one.step("count", seven)


async def test_what_a_step_raises_is_not_recorded():
    durable = Recording()
    with pytest.raises(AssertionError):
        await context(durable=durable).step("count", never)
    assert durable.recorded == {}


@pytest.mark.parametrize("stop", ["pause", "cancel", "lost"])
async def test_a_job_that_is_to_stop_does_no_further_step(stop):
    one = context(Rows(stop))
    with pytest.raises(JobStopped):
        await one.step("count", never)
    assert one.stop == stop


async def test_a_job_that_was_taken_over_in_the_middle_of_a_step_stops_after_it():
    one = context(durable=Recording(OwnershipLost()))
    with pytest.raises(JobStopped):
        await one.step("count", seven)
    assert one.stop == "lost"
