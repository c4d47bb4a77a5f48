"""The load client of `smalt bench`, against the stub upstream that it is measured with."""

from collections.abc import Iterator

import pytest

from smalt.cli.bench.gateway import request
from smalt.cli.bench.load import Load, Target
from smalt.cli.bench.processes import ProcessTree, helper
from smalt.cli.bench.servers import free_port
from smalt.cli.bench.words import passages


@pytest.fixture(scope="module")
def load() -> Iterator[Load]:
    with Load() as load:
        yield load


@pytest.fixture(scope="module")
def stub() -> Iterator[Target]:
    with helper("smalt.cli.bench.stub", {}) as process:
        yield Target(f"http://127.0.0.1:{process.ready['port']}/v1/chat/completions", {"api-key": "x"})


def test_every_body_is_sent_once_and_its_answer_counted(load: Load, stub: Target) -> None:
    outcome = load.run(stub, (request("pace-10"),) * 40, concurrency=4).or_fail()
    assert len(outcome.answers) == 40
    assert outcome.tokens == 40 * 150
    assert outcome.events == 0
    assert outcome.requests_per_second > 0


def test_a_stream_is_timed_to_its_first_content_and_its_end(load: Load, stub: Target) -> None:
    body = request("pace-20", stream=True, max_tokens=5)
    outcome = load.run(stub, (body,) * 3, concurrency=3).or_fail()
    # The chunk with the role, five with content, one with the finish reason, and [DONE].
    assert [answer.events for answer in outcome.answers] == [8, 8, 8]
    assert all(answer.is_complete for answer in outcome.answers)
    assert all(0.02 <= answer.first_seconds < answer.seconds for answer in outcome.answers)
    assert all(answer.first_event_seconds < answer.first_seconds for answer in outcome.answers)
    assert all(answer.seconds >= 0.1 for answer in outcome.answers)


def test_requests_that_fail_are_told_and_never_left_out(load: Load) -> None:
    nobody = Target(f"http://127.0.0.1:{free_port()}/")
    outcome = load.run(nobody, (b"{}",) * 3, concurrency=2)
    assert len(outcome.failures) == 3
    with pytest.raises(RuntimeError, match="3 of the requests failed"):
        outcome.or_fail()


def test_passages_are_of_one_length_and_differ() -> None:
    texts = passages(20)
    some = [next(texts) for _ in range(6000)]
    assert {len(text.split()) for text in some} == {20}
    assert len(set(some)) > 5900


def test_a_tree_counts_the_cpu_and_memory_of_its_processes(load: Load, stub: Target) -> None:
    with helper("smalt.cli.bench.stub", {}) as process:
        tree = ProcessTree(process.pid)
        used = tree.used()
        assert used.ours > 0
        assert used.engine == 0
        assert tree.memory_bytes() > 2**20
        tree.wait_until_idle(5)
