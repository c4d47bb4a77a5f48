"""Threads for disk work, so that none of it holds up the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from smalt.store.blobs.failures import mapping_failures

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4


class Threads:
    """A few threads of their own: those of the event loop may be busy with something slow."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="smalt-blobs")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work in a thread and wait for it."""
        with mapping_failures():
            return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))

    def start(self, work: Callable[[], object]) -> None:
        """Do the work in a thread, for a caller that cannot wait."""
        self._pool.submit(work)

    def close(self) -> None:
        """Wait for the work that was begun."""
        self._pool.shutdown()
