"""Makes SQLAlchemy engines that keep what they acknowledge, for SQLite files and for PostgreSQL by URL."""

import os
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.event import listen
from sqlalchemy.exc import ArgumentError

from smalt.core.errors import InvalidRequest, MissingExtra
from smalt.store import postgres, sqlite
from smalt.store.roles import Role

READERS = 4
POSTGRES_DRIVER = "postgresql+psycopg"
POSTGRES_NAMES = ("postgres", "postgresql", POSTGRES_DRIVER)


def database_url(database: URL | Path | str) -> URL:
    """The URL of a database that is named by a URL or by a SQLite file's path."""
    if isinstance(database, Path) or (isinstance(database, str) and "://" not in database):
        return URL.create("sqlite", database=str(database))
    url = _parsed(database)
    if url.drivername in POSTGRES_NAMES:
        return url.set(drivername=POSTGRES_DRIVER)
    if url.drivername == "sqlite":
        return url
    # The rest of the URL stays unsaid: it may hold a password.
    raise InvalidRequest(
        f"database.url names a database of the kind '{url.drivername}'. Use postgresql://USER:PASSWORD@HOST/NAME "
        "or the path of a SQLite file."
    )


def described(url: URL) -> str:
    """How people are told which database it is: without user, password and options."""
    path = sqlite_path(url)
    if path is not None:
        return f"SQLite, {path}"
    return f"PostgreSQL, database '{url.database or url.username or ''}' on {_host(url)}"


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database; None for other databases."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise InvalidRequest("The database needs a file: a SQLite database in memory is lost when the server ends.")
    return Path(url.database)


def connect(url: URL, role: Role = "write", *, connections: int = 1) -> sa.Engine:
    """An engine with at most `connections` connections; nothing is opened until the first is used."""
    kind = sqlite if url.get_backend_name() == "sqlite" else postgres
    if kind is postgres and find_spec("psycopg") is None:
        raise MissingExtra("psycopg", extra="postgres")
    engine = sa.create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=kind.BUSY_SECONDS,
        connect_args=kind.CONNECT_ARGUMENTS,
        # Errors are logged, and parameters are what users wrote.
        hide_parameters=True,
        json_serializer=_json,
        json_deserializer=orjson.loads,
    )
    kind.prepare(engine, role)
    listen(engine, "before_cursor_execute", _refuse_null_characters)
    return engine


def make_private(path: Path) -> None:
    """Create the database's file, readable by its owner only, before SQLite creates it for everybody."""
    # A file that is there must not be opened here: to close it again would drop the locks that other connections of
    # this process have on it, and with them the agreement with other processes on where the newest pages are.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _parsed(database: URL | str) -> URL:
    try:
        return make_url(database)
    except (ArgumentError, ValueError):
        # What the parser says about it may repeat the password.
        raise InvalidRequest(
            "database.url cannot be read. Write postgresql://USER:PASSWORD@HOST:PORT/NAME, with %-codes for special "
            "characters in the password (an @ is %40, a / is %2F)."
        ) from None


def _host(url: URL) -> str:
    # Sockets' folders and lists of hosts are written as options.
    if url.host is None:
        named = url.query.get("host", "the local socket")
        return named if isinstance(named, str) else ", ".join(named)
    return f"{url.host}:{url.port}" if url.port else url.host


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _refuse_null_characters(*event: Any) -> None:
    # PostgreSQL cannot keep them in text, so no database may: what was kept must be able to move.
    parameters = event[3]
    # Not `executemany`, event[5]: rows that are inserted with RETURNING come as one row of all their values.
    for row in cast("list[Any]", parameters) if isinstance(parameters, list) else [parameters]:
        values: Iterable[Any] = row.values() if hasattr(row, "values") else row
        if any(isinstance(value, str) and "\0" in value for value in values):
            raise InvalidRequest("Text may not contain the null character (U+0000). Leave it out.")
