"""Writes a row whether or not it is there already, the same way on every database."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

Row = Mapping[str, Any]


def add_counts(connection: sa.Connection, table: sa.Table, *, identity: Row, counts: Mapping[str, int]) -> None:
    """Add `counts` to the row that `identity` (its primary key) names; a missing row starts from nothing."""
    statement = _insert(connection, table).values({**identity, **counts})
    more = {name: table.c[name] + statement.excluded[name] for name in counts}
    connection.execute(statement.on_conflict_do_update(index_elements=list(identity), set_=more))


def insert_missing(connection: sa.Connection, table: sa.Table, *, row: Row) -> None:
    """Insert `row` unless a row with its primary key is there."""
    connection.execute(_insert(connection, table).values(dict(row)).on_conflict_do_nothing())


def _insert(connection: sa.Connection, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)
