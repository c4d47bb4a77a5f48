"""Turns a database's own failures into the errors that clients are told about."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from smalt.core.errors import ApiError, Unavailable


@contextmanager
def mapping_failures() -> Generator[None]:
    """Raise `Unavailable` in place of failures that pass: a busy or full database, a lost connection."""
    try:
        yield
    except (DBAPIError, PoolTimeout, sqlite3.OperationalError) as error:
        known = explain(error)
        if known is None:
            raise
        raise known from error


def explain(error: BaseException) -> ApiError | None:
    """The error to tell a client, or None when the failure is a fault of ours."""
    if isinstance(error, PoolTimeout):
        return Unavailable("The database is too busy. Try again shortly.")
    cause = error.orig if isinstance(error, DBAPIError) else error
    if is_busy(error):
        return Unavailable("Another process keeps the database busy. Try again shortly.")
    if _sqlite_code(cause) == sqlite3.SQLITE_FULL:
        return Unavailable("The disk with the database is full. Free some space and try again.", retry_after=60)
    if isinstance(error, OperationalError) and error.connection_invalidated:
        return Unavailable("The connection to the database was lost. Try again shortly.")
    return None


def is_busy(error: BaseException) -> bool:
    """Whether another process held the database's lock for too long."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return _sqlite_code(cause) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _sqlite_code(cause: BaseException | None) -> int | None:
    code = getattr(cause, "sqlite_errorcode", None)
    # The low byte is the kind of failure, the rest its detail.
    return None if code is None else int(code) & 0xFF
