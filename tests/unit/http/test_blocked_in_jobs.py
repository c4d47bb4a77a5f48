"""What jobs have blocked is handed over once, whatever is in the file."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smalt.core.settings import Settings
from smalt.http.blocked_in_jobs import BlockedInJobs


@pytest.fixture
def blocked(tmp_path: Path) -> BlockedInJobs:
    return BlockedInJobs(Settings(data_dir=tmp_path))


def test_counts_are_taken_once(blocked: BlockedInJobs):
    assert not blocked.take()
    for side in ("prompt", "prompt", "completion"):
        blocked.filtered("chat", side, "violence")
    assert blocked.take() == Counter({("chat", "prompt", "violence"): 2, ("chat", "completion", "violence"): 1})
    assert not blocked.take()
    blocked.filtered("chat", "prompt", "hate")
    assert blocked.take() == Counter({("chat", "prompt", "hate"): 1})


def test_none_is_lost_or_taken_twice_when_many_count_and_take(blocked: BlockedInJobs):
    with ThreadPoolExecutor(4) as threads:
        counting = [threads.submit(blocked.filtered, "chat", "prompt", "hate") for _ in range(40)]
        taking = [threads.submit(blocked.take) for _ in range(20)]
        taken = sum((one.result() for one in taking), Counter())
        for one in counting:
            one.result()
    assert (taken + blocked.take()).total() == 40


def test_a_job_goes_on_where_nothing_can_be_counted(blocked: BlockedInJobs, tmp_path: Path):
    (tmp_path / "metrics").write_bytes(b"in the way of the folder")
    blocked.filtered("chat", "prompt", "hate")
    assert (tmp_path / "metrics").read_bytes() == b"in the way of the folder"


def test_a_page_of_metrics_goes_on_where_the_counts_cannot_be_read(blocked: BlockedInJobs, tmp_path: Path):
    (tmp_path / "metrics" / "blocked_in_jobs.json").mkdir(parents=True)
    assert not blocked.take()


def test_a_file_that_was_half_written_counts_from_nothing(blocked: BlockedInJobs, tmp_path: Path):
    blocked.filtered("chat", "prompt", "hate")
    (tmp_path / "metrics" / "blocked_in_jobs.json").write_bytes(b'[["chat","prompt"')
    blocked.filtered("chat", "prompt", "hate")
    assert blocked.take().total() == 1
