"""The database as the rest of Smalt sees it: reads on a few threads, writes in one, never on the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from smalt.core.settings import Settings
from smalt.store.connecting import READERS, connect, database_url, make_private, sqlite_path
from smalt.store.failures import mapping_failures
from smalt.store.writer import Writer

T = TypeVar("T")

FILE_NAME = "smalt.db"


def default_database(data_dir: Path) -> Path:
    """The database's file in the data folder."""
    return data_dir / FILE_NAME


def database_of(settings: Settings) -> URL | Path:
    """The database that the settings name, or else the file in their data folder."""
    url = settings.database.url
    return default_database(settings.data_dir) if url is None else database_url(url.get_secret_value())


class Database:
    """An open database; several processes may have the same one open."""

    def __init__(self, writing: sa.Engine, reading: sa.Engine) -> None:
        self._writing = writing
        self._reading = reading
        self._writer = Writer(writing)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="smalt-reader")

    @classmethod
    def open(cls, database: URL | Path | str) -> Self:
        """Open a database whose schema is up to date (see `migrating.migrate`); the caller closes it."""
        url = database_url(database)
        path = sqlite_path(url)
        if path is not None:
            make_private(path)
        return cls(connect(url), connect(url, "read", connections=READERS))

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` on one snapshot of the database; it may not write."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a transaction, after the writes before it; durable when this returns.

        What `work` raises undoes its own changes only and is raised here. It may run twice when the database is
        busy, so it must change nothing but the database.
        """
        with mapping_failures():
            return await asyncio.wrap_future(self._writer.submit(work))

    async def close(self) -> None:
        """Finish the queued writes and close every connection; safe to call twice."""
        await asyncio.get_running_loop().run_in_executor(None, self.close_now)

    def close_now(self) -> None:
        """`close` for callers without an event loop."""
        self._writer.close()
        self._readers.shutdown()
        self._reading.dispose()
        self._writing.dispose()

    def _read(self, work: Callable[[sa.Connection], T]) -> T:
        with mapping_failures():
            try:
                return self._read_once(work)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # The server was started anew, say. Reading again harms nobody, and finds fresh connections.
            return self._read_once(work)

    def _read_once(self, work: Callable[[sa.Connection], T]) -> T:
        with self._reading.connect() as connection:
            return work(connection)
