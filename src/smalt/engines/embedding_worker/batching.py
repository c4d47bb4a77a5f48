"""Runs batches on as many threads as there are cores, each made of what waits when a thread becomes free."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from smalt.engines.embedding_worker.request import EmbeddingRequest, Vectors
from smalt.engines.embedding_worker.waiting import Waiting, WaitingRoom
from smalt.engines.embedding_worker.windows import Window

Compute = Callable[[Sequence[list[int]]], Vectors]


class Batcher:
    """Collects windows of all requests; never waits for more to come while a thread is idle."""

    def __init__(self, compute: Compute, runners: int, max_batch: int) -> None:
        self._compute = compute
        self._idle = runners
        self._room = WaitingRoom(max_batch)
        self._threads = ThreadPoolExecutor(runners, thread_name_prefix="batch")
        self._loop = asyncio.get_running_loop()
        self._is_dispatching = False

    def add(self, request: EmbeddingRequest, windows: list[Window]) -> None:
        """Queue a request's windows; those that arrive in the same turn of the loop may share a batch."""
        self._room.add(request, windows)
        if not self._is_dispatching:
            self._is_dispatching = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._is_dispatching = False
        while self._idle and (batch := self._room.take(self._idle)):
            self._idle -= 1
            running = self._loop.run_in_executor(self._threads, self._compute, [one.window.ids for one in batch])
            running.add_done_callback(lambda done, batch=batch: self._deliver(batch, done))

    def _deliver(self, batch: list[Waiting], done: "asyncio.Future[Vectors]") -> None:
        self._idle += 1
        self._dispatch()
        if error := done.exception():
            for waiting in batch:
                waiting.request.fail(error)
            return
        for waiting, vector in zip(batch, done.result(), strict=True):
            waiting.request.add(waiting.window.index, waiting.window.weight, vector)
