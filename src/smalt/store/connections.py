"""Connections of connectors as they are stored: their secrets are ciphertext here."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.errors import Conflict, NotFound
from smalt.store.database import Database
from smalt.store.tables import connector_connections as table

LONGEST_NAME = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConnection:
    """One connection; `base_url` is None for the connector's cloud."""

    id: str
    name: str
    connector: str
    kind: str
    base_url: str | None
    is_smalt: bool
    fields: dict[str, str]
    secret_names: list[str]
    secrets: bytes
    key_id: str
    created_at: int


class StoredConnections:
    """The connections in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: StoredConnection) -> None:
        """Keep a connection; `Conflict` when there is one of this name."""

        def insert(connection: sa.Connection) -> None:
            if _row(connection, new.name) is not None:
                raise Conflict(
                    f"There is a connection '{new.name}' already. Change it with: smalt connections add {new.name} "
                    "--replace",
                    param="name",
                )
            connection.execute(sa.insert(table).values(_values(new)))

        await self._database.write(insert)

    async def replace(self, new: StoredConnection) -> None:
        """Change the connection with this id; raises `NotFound`."""

        def update(connection: sa.Connection) -> None:
            changed = connection.execute(sa.update(table).where(table.c.id == new.id).values(_values(new)))
            if not changed.rowcount:
                raise _unknown(connection, new.name)

        await self._database.write(update)

    async def mark(self, connection_id: str, *, is_smalt: bool) -> None:
        """Note what kind of server answers."""
        change = sa.update(table).where(table.c.id == connection_id).values(is_smalt=is_smalt)
        await self._database.write(lambda connection: connection.execute(change))

    async def find(self, name: str) -> StoredConnection | None:
        """The connection of this name or id, if there is one."""

        def select(connection: sa.Connection) -> StoredConnection | None:
            row = _row(connection, name)
            return None if row is None else _stored(row)

        return await self._database.read(select)

    async def get(self, name: str) -> StoredConnection:
        """The connection of this name or id; raises `NotFound`, which says which there are."""

        def select(connection: sa.Connection) -> StoredConnection:
            row = _row(connection, name)
            if row is None:
                raise _unknown(connection, name)
            return _stored(row)

        return await self._database.read(select)

    async def list(self) -> list[StoredConnection]:
        """Every connection, by name."""
        query = sa.select(table).order_by(table.c.name)
        return await self._database.read(lambda connection: [_stored(row) for row in connection.execute(query)])

    async def remove(self, name: str) -> StoredConnection:
        """Forget a connection; returns what there was. Raises `NotFound`."""

        def delete(connection: sa.Connection) -> StoredConnection:
            row = _row(connection, name)
            if row is None:
                raise _unknown(connection, name)
            connection.execute(sa.delete(table).where(table.c.id == row.id))
            return _stored(row)

        return await self._database.write(delete)


def _row(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    is_it = sa.or_(table.c.name == name, table.c.id == name)
    return connection.execute(sa.select(table).where(is_it)).one_or_none()


def _unknown(connection: sa.Connection, name: str) -> NotFound:
    there = ", ".join(connection.execute(sa.select(table.c.name).order_by(table.c.name)).scalars())
    return NotFound(f"There is no connection '{name}'. There are: {there or 'none; see smalt connections add --help'}.")


def _values(one: StoredConnection) -> dict[str, Any]:
    return {name: getattr(one, name) for name in StoredConnection.__slots__}


def _stored(row: sa.Row[Any]) -> StoredConnection:
    return StoredConnection(**{name: getattr(row, name) for name in StoredConnection.__slots__})
