"""The content of files as the rest of Smalt sees it."""

import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.settings import StorageSettings
from smalt.store.blobs import ledger
from smalt.store.blobs.ledger import Blob
from smalt.store.blobs.staging import Staged, StagingFile, remove_stale, write_stream
from smalt.store.blobs.storage import Storage, open_storage
from smalt.store.blobs.sweeping import forget_doomed, forget_unknown
from smalt.store.blobs.threads import Threads
from smalt.store.database import Database

SWEEP_SECONDS = 60.0


class Blobs:
    """Content-addressed storage on a folder, S3, Azure Blob or GCS.

    It is a `Sweep` as well: what nothing refers to any more is removed by a runner of jobs.
    """

    name = "blobs"
    seconds = SWEEP_SECONDS

    def __init__(
        self,
        storage: Storage,
        database: Database,
        threads: Threads,
        *,
        sweep_after_seconds: float = 3600.0,
        clock: Callable[[], int] = now,
    ) -> None:
        self._storage = storage
        self._database = database
        self._threads = threads
        self._sweep_after_seconds = sweep_after_seconds
        self._clock = clock
        self._listed_at: float | None = None

    @classmethod
    def open(
        cls, settings: StorageSettings, data_dir: Path, database: Database, *, clock: Callable[[], int] = now
    ) -> Self:
        """Open the storage; nothing is contacted until the first use."""
        threads = Threads()
        storage = open_storage(settings, data_dir, threads)
        return cls(storage, database, threads, sweep_after_seconds=settings.sweep_after_seconds, clock=clock)

    async def put(self, content: AsyncIterator[bytes]) -> Blob:
        """Keep a stream; it is durable when this returns, and nothing of it shows when it fails.

        The caller refers to the blob in the write that follows with `claim`, or it is swept away after a while.
        """
        async with self.staged(content) as staged:
            return await self.keep(staged)

    @asynccontextmanager
    async def staged(self, content: AsyncIterator[bytes]) -> AsyncGenerator[Staged]:
        """Take a stream in, to be looked at and perhaps kept; otherwise nothing of it is left after the block."""
        file = await self._threads.run(StagingFile, self._storage.staging)
        try:
            yield await write_stream(file, content, self._threads)
        finally:
            self._threads.start(file.discard)

    async def keep(self, staged: Staged) -> Blob:
        """Keep what was staged, as `put` does; its file may be gone afterwards."""
        hold, new_key = secrets.token_hex(16), f"{staged.digest[:2]}/{staged.digest}-{secrets.token_hex(8)}"
        wanted = Blob(staged.digest, staged.bytes, new_key, hold)
        reserved = await self._database.write(partial(ledger.reserve, blob=wanted, at=self._clock()))
        # Content that should be there is looked for, so that sending it again repairs a damaged storage.
        if not (reserved.is_live and await self._storage.has(reserved.key, staged.bytes)):
            await self._storage.put(reserved.key, staged.path)
        return Blob(staged.digest, staged.bytes, reserved.key, hold)

    @staticmethod
    def claim(connection: sa.Connection, blob: Blob) -> None:
        """Within the write that makes a row refer to a blob: keep it alive; raises when it was swept meanwhile."""
        ledger.claim(connection, blob, now())

    @staticmethod
    def release(connection: sa.Connection, digest: str) -> None:
        """Within the write that removed a reference (already removed): doom the blob when it was the last one."""
        ledger.release(connection, digest, now())

    async def read(self, digest: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """Stream the bytes from `start` up to (not including) `end`."""
        key, size = await self._database.read(partial(ledger.find, digest=digest))
        async for chunk in self._storage.read(key, start, size if end is None else min(end, size)):
            yield chunk

    async def local_path(self, digest: str, folder: Path) -> Path:
        """A file with the content, for libraries that want one; in `folder` unless the storage itself is local."""
        key, size = await self._database.read(partial(ledger.find, digest=digest))
        path = self._storage.path(key)
        if path is not None:
            return path
        file = await self._threads.run(StagingFile, folder)
        return (await write_stream(file, self._storage.read(key, 0, size), self._threads)).path

    async def sweep(self) -> None:
        """Remove doomed content, and what was begun and never finished."""
        at, age = self._clock(), self._sweep_after_seconds
        while await self._database.write(partial(ledger.give_up_holds, before=int(at - age), at=at)):
            pass
        await forget_doomed(self._database, self._storage)
        await self._threads.run(remove_stale, self._storage.staging, age)
        # Listing a large bucket takes long and costs money, and what it finds is rare.
        if self._listed_at is None or time.monotonic() - self._listed_at > age:
            await forget_unknown(self._database, self._storage, older_than=time.time() - age)
            self._listed_at = time.monotonic()

    async def close(self) -> None:
        """Wait for disk work that was begun."""
        self._threads.close()
