"""How the embedding worker makes batches from what waits."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from smalt.engines.embedding_worker.batching import Batcher
from smalt.engines.embedding_worker.request import EmbeddingRequest, Vectors
from smalt.engines.embedding_worker.waiting import MAX_PADDED_TOKENS, WaitingRoom
from smalt.engines.embedding_worker.windows import Window


def windows(*sizes: int) -> list[Window]:
    return [Window(index, [index] * size, size) for index, size in enumerate(sizes)]


def request(count: int) -> EmbeddingRequest:
    return EmbeddingRequest(count, count, 1)


async def sizes_of_batches(room: WaitingRoom, runners: int = 1) -> list[list[int]]:
    batches = []
    while batch := room.take(runners):
        batches.append([waiting.size for waiting in batch])
    return batches


async def test_windows_of_like_length_share_a_batch():
    room = WaitingRoom(max_batch=32)
    room.add(request(6), windows(10, 100, 12, 98, 11, 99))
    assert sorted(map(sorted, await sizes_of_batches(room))) == [[10, 11, 12], [98, 99, 100]]


async def test_a_batch_has_at_most_so_many_windows():
    room = WaitingRoom(max_batch=4)
    room.add(request(10), windows(*[5] * 10))
    assert [len(batch) for batch in await sizes_of_batches(room)] == [4, 4, 2]


async def test_a_batch_of_long_windows_stays_small():
    room = WaitingRoom(max_batch=32)
    room.add(request(10), windows(*[256] * 10))
    assert all(sum(batch) <= MAX_PADDED_TOKENS for batch in await sizes_of_batches(room))


async def test_a_window_longer_than_any_batch_should_be_goes_alone():
    room = WaitingRoom(max_batch=32)
    room.add(request(2), windows(2000, 2000))
    assert await sizes_of_batches(room) == [[2000], [2000]]


async def test_idle_runners_share_what_waits():
    room = WaitingRoom(max_batch=32)
    room.add(request(8), windows(*[10] * 8))
    assert len(room.take(2)) == 4


async def test_a_late_short_request_does_not_wait_for_all_of_a_large_one():
    room = WaitingRoom(max_batch=8)
    large, small = request(800), request(1)
    room.add(large, windows(*[50] * 800))
    room.take(1)
    room.add(small, windows(50))
    assert any(waiting.request is small for _ in range(2) for waiting in room.take(1))


async def test_what_was_cancelled_is_not_computed():
    room = WaitingRoom(max_batch=2)
    gone, there = request(5), request(2)
    room.add(gone, windows(*[10] * 5))
    room.add(there, windows(10, 10))
    gone.fail(asyncio.CancelledError())
    assert [waiting.request for waiting in room.take(1)] == [there, there]
    assert not room.take(1)


class SlowModel:
    """Sums each window's tokens; waits for `go` first, and keeps the sizes of its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = threading.Event()

    def vectors(self, batch: Sequence[list[int]]) -> Vectors:
        self.go.wait(10)
        self.batches.append(len(batch))
        if any(ids == [13] for ids in batch):
            raise ValueError("thirteen")
        return np.array([[sum(ids)] for ids in batch], np.float32)


@pytest.fixture
async def model() -> AsyncIterator[SlowModel]:
    model = SlowModel()
    yield model
    model.go.set()


async def embed(batcher: Batcher, *tokens: list[int]) -> list[float]:
    one = EmbeddingRequest(len(tokens), len(tokens), 1)
    batcher.add(one, [Window(index, ids, len(ids)) for index, ids in enumerate(tokens)])
    return (await one.vectors(1, normalize=False))[:, 0].tolist()


async def test_requests_that_wait_are_computed_together_and_answered_apart(model: SlowModel):
    batcher = Batcher(model.vectors, runners=1, max_batch=32)
    first = asyncio.create_task(embed(batcher, [1]))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(embed(batcher, [number], [number, 1])) for number in range(20, 25)]
    await asyncio.sleep(0.01)
    model.go.set()
    assert await first == [1]
    assert [await other for other in others] == [[number, number + 1] for number in range(20, 25)]
    assert model.batches == [1, 10]


async def test_a_failed_batch_fails_its_requests_and_no_others(model: SlowModel):
    model.go.set()
    batcher = Batcher(model.vectors, runners=1, max_batch=32)
    with pytest.raises(ValueError, match="thirteen"):
        await embed(batcher, [13])
    assert await embed(batcher, [2, 2]) == [4]


async def test_the_windows_of_an_input_are_averaged_by_their_tokens():
    one = EmbeddingRequest(inputs=1, windows=2, dimensions=2)
    one.add(0, 3, np.array([1, 0], np.float32))
    one.add(0, 1, np.array([0, 1], np.float32))
    assert (await one.vectors(2, normalize=False)).tolist() == [[0.75, 0.25]]
    assert np.linalg.norm(await one.vectors(2, normalize=True)) == pytest.approx(1)


async def test_a_cut_vector_has_unit_length_again():
    one = EmbeddingRequest(inputs=1, windows=1, dimensions=3)
    one.add(0, 1, np.array([3, 4, 100], np.float32))
    assert (await one.vectors(2, normalize=True)).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
