"""Sets up connections to a PostgreSQL server."""

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.event import listen

from smalt.store.roles import Role

if TYPE_CHECKING:
    from psycopg import Connection

BUSY_SECONDS = 10.0

CONNECT_ARGUMENTS: dict[str, Any] = {
    "connect_timeout": 10,
    "fallback_application_name": "smalt",
    # A host that vanished is noticed within a minute, by us and (see `_KEEPALIVES`) by the server.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}

_KEEPALIVES = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
# What is acknowledged is on disk, whatever the server's usual way; stronger promises (remote_apply) are kept.
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
_TIMEOUTS: dict[Role, tuple[int, int]] = {
    # Milliseconds to wait for a lock; milliseconds that a transaction may be left alone: what a process that died
    # or froze in the middle has locked is free again before those who wait give up.
    "read": (10_000, 600_000),
    "write": (10_000, 15_000),
    # A migration waits for as long as another one takes.
    "migrate": (0, 0),
}

# Any number will do, as long as every Smalt takes the same one.
_WRITE_LOCK = 7385263

_TRANSACTION = "smalt_transaction"


def prepare(engine: sa.Engine, role: Role) -> None:
    """Let every connection begin as its role needs it."""
    from psycopg import IsolationLevel

    lock, idle = _TIMEOUTS[role]
    session = f"SET lock_timeout = {lock}; SET idle_in_transaction_session_timeout = {idle}; {_KEEPALIVES}; {_DURABLE}"

    def set_up(connection: "Connection[Any]", _record: object) -> None:
        connection.autocommit = True
        connection.execute(session.encode())
        connection.autocommit = False
        # A read sees one snapshot, as it does on SQLite. A write sees what was committed while it waited for its turn.
        connection.isolation_level = IsolationLevel.REPEATABLE_READ if role == "read" else IsolationLevel.READ_COMMITTED
        connection.read_only = role == "read"

    listen(engine, "connect", set_up)
    if role != "read":
        listen(engine, "begin", _take_turns)


def transaction_number(connection: sa.Connection) -> int | None:
    """The number by which the server knows the transaction of a connection that writes; None for SQLite's."""
    return connection.info.get(_TRANSACTION)


def was_committed(connection: sa.Connection, number: int) -> bool:
    """Whether a transaction took effect whose connection was lost; `connection` writes, so it waits for its end."""
    status = connection.execute(sa.select(sa.func.txid_status(number))).scalar_one()
    if status not in {"committed", "aborted"}:
        raise LookupError(f"the server says of transaction {number}: {status}")
    return status == "committed"


def _take_turns(connection: sa.Connection) -> None:
    # One transaction writes at a time, over all processes, as on SQLite: what a write has read stays true until it is
    # committed, batches of writes cannot deadlock, and rows appear in the order of their sequence numbers, on which
    # paging and indexes rely. The writes of a process share commits, so turns are cheap.
    row = connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK}), txid_current()").one()
    connection.info[_TRANSACTION] = row[1]
