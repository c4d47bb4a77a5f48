"""The connections that calls are made over: added, listed, turned into targets."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from smalt.connectors.connections.addresses import checked_address
from smalt.connectors.connections.cipher import Sealed
from smalt.connectors.connections.fields import kind_of, read_fields, with_name
from smalt.connectors.connections.key_places import KeyPlaces
from smalt.connectors.connections.target import LOCAL_ID, Target, connected_target
from smalt.connectors.definitions.vocabulary import Connector
from smalt.core.clock import now
from smalt.core.errors import InvalidRequest
from smalt.core.ids import random_id
from smalt.store.connections import StoredConnection, StoredConnections
from smalt.store.database import Database
from smalt.store.throttle_slots import forget_slots

ID_PREFIX: Final = "conn_"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnection:
    """What a connection is made of; `given` has the values of its fields, secret ones too."""

    name: str
    connector: Connector
    kind: str | None = None
    given: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    base_url: str | None = None
    is_smalt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection as it may be shown: of the secrets there are the names alone."""

    id: str
    name: str
    connector: str
    kind: str
    base_url: str | None
    is_smalt: bool
    fields: dict[str, str]
    secret_names: list[str]
    created_at: int


class Connections:
    """The connections in a database, with the keys that open their secrets."""

    def __init__(self, database: Database, keys: KeyPlaces) -> None:
        self._database = database
        self._stored = StoredConnections(database)
        self._keys = keys

    async def add(self, new: NewConnection, *, replace: bool = False) -> Connection:
        """Keep a connection, its secrets encrypted; `Conflict` when the name is taken and not to be replaced."""
        _check_name(new.name)
        before = await self._stored.find(new.name) if replace else None
        made = await asyncio.to_thread(self._sealed, new, before.id if before else random_id(ID_PREFIX))
        await (self._stored.replace(made) if before else self._stored.add(made))
        return _shown(made)

    async def list(self) -> list[Connection]:
        """Every connection, by name."""
        return [_shown(one) for one in await self._stored.list()]

    async def get(self, name: str) -> Connection:
        """A connection by name or id; raises `NotFound`."""
        return _shown(await self._stored.get(name))

    async def remove(self, name: str) -> Connection:
        """Forget a connection, its secrets and its booked calls; raises `NotFound`."""
        removed = await self._stored.remove(name)
        await forget_slots(self._database, removed.id)
        return _shown(removed)

    async def mark(self, connection: Connection, *, is_smalt: bool) -> None:
        """Note whether the server is a Smalt."""
        await self._stored.mark(connection.id, is_smalt=is_smalt)

    async def target(self, name: str, connector: Connector) -> Target:
        """Where this connection's calls go; raises `NotFound`, or `InvalidRequest` when it is another connector's."""
        stored = await self._stored.get(name)
        if stored.connector != connector.name:
            raise InvalidRequest(
                f"The connection '{stored.name}' is one of the connector '{stored.connector}', not of "
                f"'{connector.name}'. Add one with: smalt connections add NAME --connector {connector.name}",
                param="connection",
            )
        secrets = await asyncio.to_thread(self._opened, stored)
        return connected_target(
            connector,
            kind_of(connector, stored.kind),
            stored.fields | secrets,
            base_url=stored.base_url,
            is_smalt=stored.is_smalt,
            connection_id=stored.id,
        )

    def _sealed(self, new: NewConnection, connection_id: str) -> StoredConnection:
        kind = kind_of(new.connector, new.kind)
        base_url = None if new.base_url is None else checked_address(new.base_url)
        given = with_name(kind, new.given, new.name)
        values = read_fields(new.connector, kind, given, has_base_url=base_url is not None)
        where = _bound(connection_id, new.connector.name, kind.name, base_url, values.plain)
        # Without secrets, no key is made or asked for.
        sealed = self._keys.to_seal().seal(values.secret, where) if values.secret else Sealed(b"", "")
        return StoredConnection(
            **where,
            name=new.name,
            is_smalt=new.is_smalt,
            secret_names=sorted(values.secret),
            secrets=sealed.ciphertext,
            key_id=sealed.key_id,
            created_at=now(),
        )

    def _opened(self, stored: StoredConnection) -> dict[str, str]:
        if not stored.secret_names:
            return {}
        where = _bound(stored.id, stored.connector, stored.kind, stored.base_url, stored.fields)
        cipher = self._keys.to_open(stored.key_id, stored.name)
        return cipher.open(Sealed(stored.secrets, stored.key_id), where)


def _bound(
    connection_id: str, connector: str, kind: str, base_url: str | None, fields: Mapping[str, str]
) -> dict[str, Any]:
    """What secrets are bound to: whoever changes where they are sent in the database cannot use them."""
    return {"id": connection_id, "connector": connector, "kind": kind, "base_url": base_url, "fields": dict(fields)}


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or name.startswith(ID_PREFIX):
        raise InvalidRequest(
            f"'{name}' cannot be a connection's name: that has letters, digits, dots, hyphens and underscores, and "
            f"does not begin with {ID_PREFIX}.",
            param="name",
        )
    if name == LOCAL_ID:
        raise InvalidRequest(
            f"The name '{LOCAL_ID}' stands for this machine's own server, which needs no connection.", param="name"
        )


def _shown(stored: StoredConnection) -> Connection:
    return Connection(**{name: getattr(stored, name) for name in Connection.__slots__})
