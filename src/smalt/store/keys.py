"""API keys: made, listed and revoked by commands, found by every request."""

import asyncio
import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import Conflict, NotFound
from smalt.core.ids import short_id
from smalt.store.database import Database
from smalt.store.tables import keys as table
from smalt.store.tables import revisions
from smalt.store.upserting import add_counts

PREFIX = "sk-smalt-"
FRESH_SECONDS = 1.0
FIRST_NAME = "default"


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret; a limit that is None is the settings' one."""

    id: str
    name: str
    project: str
    created_at: int
    revoked_at: int | None = None
    last_used_at: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


def new_secret() -> str:
    """A secret that nobody can guess: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of a secret. No salt and no stretching: a random secret of 256 bits needs neither."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Keys:
    """The keys of a database, with those that are live kept in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._live: dict[str, Key] = {}
        self._revision: int | None = None
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def find(self, key_digest: str) -> Key | None:
        """The live key with this digest, at most a second out of date; None when there is none."""
        if time.monotonic() - self._looked_at >= FRESH_SECONDS:
            await self._refresh()
        return self._live.get(key_digest)

    async def get(self, key_id: str) -> Key | None:
        """The key with this id, revoked or not, as it is now; None when there is none."""

        def select(connection: sa.Connection) -> Key | None:
            row = connection.execute(sa.select(table).where(table.c.id == key_id)).one_or_none()
            return None if row is None else _key(row)

        return await self._database.read(select)

    async def create(
        self,
        name: str,
        project: str,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> tuple[Key, str]:
        """Make a key; the secret is returned here and never again. `Conflict` when a live key has the name."""
        key, secret = _new_key(name, project, requests_per_minute, tokens_per_minute)
        await self._database.write(lambda connection: _insert(connection, key, secret))
        self._forget()
        return key, secret

    async def create_first(self) -> tuple[Key, str] | None:
        """Make the key `default` if there has never been a key; None when there has."""

        def insert_if_empty(connection: sa.Connection) -> tuple[Key, str] | None:
            if connection.execute(sa.select(table.c.id).limit(1)).first() is not None:
                return None
            key, secret = _new_key(FIRST_NAME, FIRST_NAME, None, None)
            _insert(connection, key, secret)
            return key, secret

        made = await self._database.write(insert_if_empty)
        self._forget()
        return made

    async def list(self, *, revoked: bool = False) -> list[Key]:
        """The live keys, oldest first; with `revoked` those that were revoked too."""

        def select(connection: sa.Connection) -> "list[Key]":
            query = sa.select(table).order_by(table.c.created_at, table.c.name, table.c.id)
            if not revoked:
                query = query.where(table.c.revoked_at.is_(None))
            return [_key(row) for row in connection.execute(query)]

        return await self._database.read(select)

    async def revoke(self, name_or_id: str) -> Key:
        """End a live key, found by its id or its name; servers refuse it within a second."""

        def update(connection: sa.Connection) -> Key:
            named = sa.or_(table.c.id == name_or_id, table.c.live_name == name_or_id)
            row = connection.execute(sa.select(table.c.id).where(named, table.c.revoked_at.is_(None))).first()
            if row is None:
                raise NotFound(f"No live key has the name or id '{name_or_id}'. See: smalt keys list")
            ended = {"revoked_at": now(), "live_name": None}
            changed = sa.update(table).where(table.c.id == row.id).values(ended).returning(table)
            key = _key(connection.execute(changed).one())
            _count_change(connection)
            return key

        key = await self._database.write(update)
        self._forget()
        return key

    def _forget(self) -> None:
        self._looked_at = float("-inf")

    async def _refresh(self) -> None:
        async with self._looking:
            looked_at = time.monotonic()
            if looked_at - self._looked_at < FRESH_SECONDS:
                return
            known = self._revision
            changed = await self._database.read(lambda connection: _changed_since(connection, known))
            if changed is not None:
                self._revision, self._live = changed
            self._looked_at = looked_at


def _new_key(
    name: str, project: str, requests_per_minute: int | None, tokens_per_minute: int | None
) -> tuple[Key, str]:
    key = Key(
        id=short_id("key_"),
        name=name,
        project=project,
        created_at=now(),
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
    )
    return key, new_secret()


def _insert(connection: sa.Connection, key: Key, secret: str) -> None:
    taken = sa.select(table.c.id).where(table.c.live_name == key.name)
    if connection.execute(taken).first() is not None:
        raise Conflict(f"There is already a key named '{key.name}'. Choose another name, or revoke it first.")
    row = {
        "id": key.id,
        "name": key.name,
        "live_name": key.name,
        "project": key.project,
        "digest": digest(secret),
        "created_at": key.created_at,
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
    }
    connection.execute(sa.insert(table).values(row))
    _count_change(connection)


def _count_change(connection: sa.Connection) -> None:
    add_counts(connection, revisions, identity={"name": table.name}, counts={"number": 1})


def _changed_since(connection: sa.Connection, known: int | None) -> tuple[int, dict[str, Key]] | None:
    query = sa.select(revisions.c.number).where(revisions.c.name == table.name)
    revision = connection.execute(query).scalar_one_or_none() or 0
    if revision == known:
        return None
    rows = connection.execute(sa.select(table).where(table.c.revoked_at.is_(None)))
    return revision, {row.digest: _key(row) for row in rows}


def _key(row: sa.Row[Any]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        project=row.project,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
    )
