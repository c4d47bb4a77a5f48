"""All vector stores that are open, in one process: opened when they are searched, closed when there are too many."""

import asyncio
import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from smalt.core.errors import ApiError
from smalt.retrieval.index.worker.coding import faiss
from smalt.retrieval.index.worker.feeding import Source
from smalt.retrieval.index.worker.open_store import OpenStore, StoreGone
from smalt.retrieval.index.worker.turnstile import Turnstile
from smalt.retrieval.protocols import Hit, IndexQuery

logger = logging.getLogger(__name__)
T = TypeVar("T")

LOCK = "lock"


@dataclass(frozen=True)
class Pace:
    """How often what is open is looked after."""

    follow_seconds: float = 2.0
    quiet_seconds: float = 5.0
    """A snapshot is written when nothing has changed for this long, or after a while even if something has."""
    longest_unsaved_seconds: float = 120.0


class Place:
    """Where a vector store is or will be open."""

    def __init__(self) -> None:
        self.store: OpenStore | None = None
        self.turnstile = Turnstile()
        self.used_at = time.monotonic()
        self.changed_at = 0.0
        self.unsaved_since = 0.0


class Shelf:
    """Answers queries about any vector store; use from one event loop."""

    def __init__(self, database: str, folder: Path, memory_bytes: int, pace: Pace | None = None) -> None:
        self._source = Source(database)
        self._folder, self._lock = _own_folder(folder)
        self._memory_bytes = memory_bytes
        self._pace = pace or Pace()
        self._places: dict[int, Place] = {}
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._searching = ThreadPoolExecutor(cores, "search", initializer=faiss.omp_set_num_threads, initargs=(1,))
        self._following = ThreadPoolExecutor(1, "follow", initializer=faiss.omp_set_num_threads, initargs=(cores,))
        self._keeping: asyncio.Task[None] | None = None

    async def search(self, query: IndexQuery) -> list[Hit]:
        """The best hits; nothing when the store is gone."""
        place = self._places.setdefault(query.vector_store, Place())
        place.used_at = time.monotonic()
        self._start_keeping()
        try:
            return await self._search_or_mend(place, query)
        except StoreGone:
            await self.forget(query.vector_store)
            return []

    async def forget(self, number: int) -> None:
        """Close a store and remove what is kept of it."""
        place = self._places.setdefault(number, Place())
        async with place.turnstile.writing():
            await self._run(self._following, lambda: self._drop(place, number))
        if self._places.get(number) is place and place.turnstile.is_free:
            del self._places[number]

    async def close(self) -> None:
        """Save and close every store."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        for place in list(self._places.values()):
            async with place.turnstile.writing():
                await self._run(self._following, lambda place=place: self._put_away(place, save=True))
        self._following.shutdown()
        self._searching.shutdown()
        self._source.close()
        self._lock.close()

    async def _search(self, place: Place, query: IndexQuery) -> list[Hit]:
        while True:
            await self._catch_up(place, query.vector_store, query.at_least_version)
            async with place.turnstile.reading():
                store = place.store
                # It may have been closed to make room in the meantime.
                if store is not None and store.version >= query.at_least_version:
                    return await self._run(self._searching, partial(store.search, query))

    async def _search_or_mend(self, place: Place, query: IndexQuery) -> list[Hit]:
        """What is on disk may be damaged in ways that show only when it is read: it is made again, once."""
        try:
            return await self._search(place, query)
        except (ApiError, StoreGone, MemoryError):
            raise
        except Exception:
            named = {"vector_store": query.vector_store}
            logger.exception("a search failed; the index of the vector store is made again", extra=named)
        async with place.turnstile.writing():
            await self._run(self._following, lambda: self._drop(place, query.vector_store))
        return await self._search(place, query)

    async def _catch_up(self, place: Place, number: int, at_least_version: int) -> None:
        if place.store is not None and place.store.version >= at_least_version:
            return
        async with place.turnstile.writing():
            if place.store is not None and place.store.version >= at_least_version:
                return
            await self._run(self._following, lambda: self._follow(place, number, at_least_version))
        await self._make_room(number)

    def _follow(self, place: Place, number: int, at_least_version: int) -> None:
        if place.store is None:
            place.store = self._opened(number)
        before = place.store.version
        place.store.catch_up(at_least_version)
        if place.store.version != before:
            place.changed_at = time.monotonic()

    def _opened(self, number: int) -> OpenStore:
        folder = self._folder / str(number)
        try:
            return OpenStore(number, folder, self._source)
        except Exception:
            logger.exception("an index cannot be opened and is made again", extra={"vector_store": number})
            shutil.rmtree(folder, ignore_errors=True)
            return OpenStore(number, folder, self._source)

    def _put_away(self, place: Place, *, save: bool) -> None:
        store, place.store = place.store, None
        if store is not None:
            if save and store.is_unsaved:
                store.save()
            store.close()

    def _drop(self, place: Place, number: int) -> None:
        with suppress(Exception):
            self._put_away(place, save=False)
        shutil.rmtree(self._folder / str(number), ignore_errors=True)

    async def _make_room(self, but: int) -> None:
        """Close the stores that were used least recently while all together take too much."""
        others = sorted(
            (number for number, place in self._places.items() if place.store and number != but),
            key=lambda number: self._places[number].used_at,
        )
        while others and self._open_bytes() > self._memory_bytes:
            place = self._places[others.pop(0)]
            async with place.turnstile.writing():
                await self._run(self._following, lambda place=place: self._put_away(place, save=True))

    def _open_bytes(self) -> int:
        return sum(place.store.memory_bytes for place in self._places.values() if place.store)

    def _start_keeping(self) -> None:
        if self._keeping is None:
            self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        has_removed_orphans = False
        while True:
            try:
                if not has_removed_orphans:
                    await self._run(self._following, self._remove_orphans)
                    has_removed_orphans = True
                await self._keep_once()
            except Exception:
                logger.exception("following the database failed; it is tried again")
            await asyncio.sleep(self._pace.follow_seconds)

    async def _keep_once(self) -> None:
        """Follow changes before somebody waits for them, and write snapshots in quiet moments."""
        numbers = [number for number, place in self._places.items() if place.store]
        versions = await self._run(self._following, lambda: self._source.versions(numbers)) if numbers else {}
        for number in numbers:
            place = self._places.get(number)
            store = place.store if place is not None else None
            # A store that is older than the index was restored from a backup.
            if number not in versions or (store is not None and versions[number] < store.version):
                await self.forget(number)
            elif place is not None:
                with suppress(StoreGone):
                    await self._catch_up(place, number, versions[number])
                await self._save_if_quiet(place)

    async def _save_if_quiet(self, place: Place) -> None:
        now = time.monotonic()
        store = place.store
        if store is None or not store.is_unsaved:
            place.unsaved_since = now
        elif (
            now - place.changed_at > self._pace.quiet_seconds
            or now - place.unsaved_since > self._pace.longest_unsaved_seconds
        ):
            async with place.turnstile.reading():
                if place.store is store:
                    await self._run(self._following, store.save)
            place.unsaved_since = now

    def _remove_orphans(self) -> None:
        kept = [int(path.name) for path in self._folder.iterdir() if path.name.isdecimal()]
        there = self._source.versions(kept)
        for number in kept:
            if number not in there and number not in self._places:
                shutil.rmtree(self._folder / str(number), ignore_errors=True)

    @staticmethod
    async def _run(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """Wait for work on a thread to its end, even when nobody wants it any more: it relies on the turnstile."""
        working = asyncio.get_running_loop().run_in_executor(threads, _guarded, work)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            while not working.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([working])
            working.exception()
            raise


def _guarded(work: Callable[[], T]) -> T:
    """Run `work`; a panic in tantivy's Rust is no `Exception`, and would end the thread's caller without an answer."""
    try:
        return work()
    except Exception:
        raise
    except BaseException as panic:
        raise RuntimeError(f"{type(panic).__name__}: {panic}") from panic


def _own_folder(folder: Path) -> tuple[Path, "_Lock"]:
    """The folder, if no other process has it; else one of our own, which is filled from the store like any other."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _Lock(folder / LOCK)
    if lock.is_ours:
        return folder, lock
    lock.close()
    logger.warning("another process has the folder of indexes; this one keeps its own in a temporary folder")
    temporary = Path(tempfile.mkdtemp(prefix="smalt-index-"))
    return temporary, _Lock(temporary / LOCK, remove=temporary)


class _Lock:
    """Held until it is closed, or the process ends."""

    def __init__(self, path: Path, remove: Path | None = None) -> None:
        self._file = path.open("ab")
        self._remove = remove
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.is_ours = True
        except OSError:
            self.is_ours = False

    def close(self) -> None:
        """Let it go."""
        self._file.close()
        if self._remove is not None:
            shutil.rmtree(self._remove, ignore_errors=True)
