"""Makes SQLAlchemy engines that keep what they acknowledge, for SQLite files and for servers by URL."""

import os
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.event import listen

BUSY_SECONDS = 10.0
READERS = 4


def database_url(url_or_path: str | Path) -> URL:
    """The URL of a database that is named by a URL or by a SQLite file's path."""
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return URL.create("sqlite", database=str(url_or_path))
    return make_url(url_or_path)


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database; None for other databases."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database:
        raise ValueError("The database needs a file: a SQLite database in memory is lost when the server ends.")
    return Path(url.database)


def connect(url: URL, *, read_only: bool = False, connections: int = 1) -> sa.Engine:
    """An engine with at most `connections` connections; nothing is opened until the first is used."""
    engine = sa.create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        **_driver_options(url),
    )
    if sqlite_path(url) is not None:
        _prepare_sqlite(engine, read_only=read_only)
    return engine


def make_private(path: Path) -> None:
    """Create the database's file, readable by its owner only, before SQLite creates it for everybody."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _driver_options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() != "sqlite":
        return {"pool_pre_ping": True}
    # Without an isolation level the driver starts no transactions; `_prepare_sqlite` says BEGIN itself.
    return {"connect_args": {"timeout": BUSY_SECONDS, "isolation_level": None}}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _prepare_sqlite(engine: sa.Engine, *, read_only: bool) -> None:
    # A writer takes its lock at once: a transaction that reads first and writes later can fail without being retried.
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    def set_up(connection: SqliteConnection, _record: object) -> None:
        # synchronous=FULL: in WAL mode anything less may lose the last commits when the power fails.
        pragmas = ["journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"]
        for pragma in [*pragmas, *(["query_only=ON"] if read_only else [])]:
            connection.execute(f"PRAGMA {pragma}").close()

    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    listen(engine, "connect", set_up)
    listen(engine, "begin", start)
