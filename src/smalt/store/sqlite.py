"""Sets up connections to a SQLite file."""

from sqlite3 import Connection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.event import listen

from smalt.store.roles import Role

BUSY_SECONDS = 10.0

CONNECT_ARGUMENTS: dict[str, Any] = {
    "timeout": BUSY_SECONDS,
    # Without an isolation level the driver starts no transactions; `prepare` says BEGIN itself.
    "isolation_level": None,
}


# Page size, cache, mapped memory and the distance between checkpoints stay SQLite's own. With 100,000 chunks of 2 kB in
# transactions of 100, neither 8 kB pages nor 64 MB of cache nor checkpoints every 16 MB changed the processor time (1.3
# to 1.5 s), the bytes written (420 to 444 MB) or the time to read 20 chunks by key (0.25 ms) beyond the noise. Tables
# without row numbers took twice the time and the space.
_PRAGMAS = (
    "journal_mode=WAL",
    # In WAL mode anything less may lose the last commits when the power fails.
    "synchronous=FULL",
    # One large transaction, or a long read, makes the log long; it is cut to this once it is written back.
    "journal_size_limit=67108864",
)
_PRAGMAS_OF = {
    "read": ("query_only=ON",),
    "write": ("foreign_keys=ON",),
    # A migration makes some tables anew: dropping the old one would delete what refers to it.
    "migrate": ("foreign_keys=OFF",),
}


def prepare(engine: sa.Engine, role: Role) -> None:
    """Let every connection begin as its role needs it, with settings that lose nothing."""
    # A writer takes its lock at once: a transaction that reads first and writes later can fail without being retried.
    begin = "BEGIN" if role == "read" else "BEGIN IMMEDIATE"

    def set_up(connection: Connection, _record: object) -> None:
        for pragma in (*_PRAGMAS, *_PRAGMAS_OF[role]):
            connection.execute(f"PRAGMA {pragma}").close()

    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    listen(engine, "connect", set_up)
    listen(engine, "begin", start)
