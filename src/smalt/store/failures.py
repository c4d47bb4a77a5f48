"""Turns a database's own failures into the errors that clients are told about."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from smalt.core.errors import ApiError, InvalidRequest, Unavailable

SQLITE_UNUSABLE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT}
# PostgreSQL's codes: another transaction was in the way, the server went away, its disk is full, a value is too large.
POSTGRES_BUSY = {"40001", "40P01", "55P03"}
POSTGRES_LOST = {"57P01", "57P02", "57P03", "57P05", "25P03"}
POSTGRES_FULL = {"53100", "53200"}
POSTGRES_FORBIDDEN = {"42501", "3F000"}
POSTGRES_UNFIT = {"22001", "22003"}


class OutcomeUnknown(ApiError):
    """The connection was lost while a write was confirmed: it may have happened or not (500)."""

    def __init__(self) -> None:
        super().__init__(
            "The connection to the database was lost while it confirmed this change: it may have been made or not. "
            "Look before you repeat it.",
            code="outcome_unknown",
            # Clients that repeat failed requests by themselves must not repeat this one.
            headers={"x-should-retry": "false"},
        )


@contextmanager
def mapping_failures(place: str | None = None) -> Generator[None]:
    """Raise `ApiError`s in place of failures that are not ours: a busy or full database, a lost connection.

    With `place` (which database it is) the error tells the operator why nothing can be reached there.
    """
    try:
        yield
    except (DBAPIError, PoolTimeout, sqlite3.OperationalError) as error:
        known = (explain_opening(error, place) if place else None) or explain(error)
        if known is None:
            raise
        raise known from error


def explain(error: BaseException) -> ApiError | None:
    """The error to tell a client, or None when the failure is a fault of ours."""
    if _is_full(error):
        return Unavailable("The disk with the database is full. Free some space and try again.", retry_after=60)
    if _sqlstate(error) in POSTGRES_UNFIT:
        return InvalidRequest(f"The database has no room for a value: {_words(error)}. Make it smaller.")
    for happened, words in PASSING.items():
        if happened(error):
            return Unavailable(f"{words}. Try again shortly.")
    return None


def explain_opening(error: BaseException, place: str) -> ApiError | None:
    """Why a database cannot be opened, in the driver's words: they name host and user, never the password."""
    if _sqlstate(error) in POSTGRES_FORBIDDEN:
        return InvalidRequest(
            f"{place}: {_words(error)}. Make the user the database's owner: ALTER DATABASE NAME OWNER TO USER"
        )
    if hasattr(_cause(error), "sqlstate") and (_sqlstate(error) is None or is_lost(error)):
        return Unavailable(f"{place} cannot be used: {_words(error)}. Check database.url, and that the server runs.")
    if _sqlite_code(error) in SQLITE_UNUSABLE:
        return InvalidRequest(
            f"{place} cannot be used: {_words(error)}. Check database.url, data_dir and who owns them."
        )
    return None


def is_busy(error: BaseException) -> bool:
    """Whether another process was in the way: for too long, or so that one had to give in."""
    return _sqlite_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or _sqlstate(error) in POSTGRES_BUSY


def is_lost(error: BaseException) -> bool:
    """Whether the connection broke, or the server goes away or comes back just now."""
    return isinstance(error, DBAPIError) and (error.connection_invalidated or _sqlstate(error) in POSTGRES_LOST)


def is_out_of_reach(error: BaseException) -> bool:
    """Whether no connection could be made."""
    return isinstance(error, OperationalError) and hasattr(error.orig, "sqlstate") and _sqlstate(error) is None


def goes_by(error: BaseException) -> bool:
    """Whether the same work may succeed in a moment."""
    return is_busy(error) or is_lost(error) or is_out_of_reach(error)


def _is_pool_empty(error: BaseException) -> bool:
    return isinstance(error, PoolTimeout)


def _is_full(error: BaseException) -> bool:
    return _sqlite_code(error) == sqlite3.SQLITE_FULL or _sqlstate(error) in POSTGRES_FULL


def _words(error: BaseException) -> str:
    return " ".join(str(_cause(error)).split()).rstrip(".")


def _sqlstate(error: BaseException) -> str | None:
    return getattr(_cause(error), "sqlstate", None)


def _sqlite_code(error: BaseException) -> int | None:
    code = getattr(_cause(error), "sqlite_errorcode", None)
    # The low byte is the kind of failure, the rest its detail.
    return None if code is None else int(code) & 0xFF


def _cause(error: BaseException) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


PASSING: dict[Callable[[BaseException], bool], str] = {
    _is_pool_empty: "The database is too busy",
    is_busy: "Another process keeps the database busy",
    is_lost: "The connection to the database was lost",
    is_out_of_reach: "The database cannot be reached",
}
"""What goes by, and how a client is told."""
