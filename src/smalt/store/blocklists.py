"""Block lists: words and patterns that prompts and answers must not have, kept by commands, read by the filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import Conflict, InvalidRequest, NotFound
from smalt.store.database import Database
from smalt.store.tables import blocklist_items as items
from smalt.store.tables import blocklists as table
from smalt.store.tables import revisions
from smalt.store.upserting import add_counts

LONGEST_NAME = 256
LONGEST_TERM = 128
LONGEST_REGEX = 500
MOST_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class BlocklistItem:
    """A word or phrase to be found as it is, or a regular expression."""

    text: str
    is_regex: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocklist:
    """A block list and what is on it, in the order it was added."""

    name: str
    created_at: int
    items: list[BlocklistItem]


@dataclass(frozen=True, slots=True)
class Standing:
    """Every block list at one moment; `revision` is another after every change."""

    revision: int
    blocklists: list[Blocklist]


class Blocklists:
    """The block lists of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str) -> Blocklist:
        """Make an empty list; `Conflict` when there is one of this name."""
        if not 0 < len(name) <= LONGEST_NAME or name != name.strip():
            raise InvalidRequest(f"A block list's name has 1 to {LONGEST_NAME} characters and no spaces around it.")

        def insert(connection: sa.Connection) -> Blocklist:
            if _row(connection, name) is not None:
                raise Conflict(f"There is a block list '{name}' already. Add to it with: smalt blocklists add {name}")
            made = Blocklist(name=name, created_at=now(), items=[])
            connection.execute(sa.insert(table).values(name=made.name, created_at=made.created_at))
            _count_change(connection)
            return made

        return await self._database.write(insert)

    async def get(self, name: str) -> Blocklist:
        """One list; raises `NotFound`."""
        return await self._database.read(lambda connection: _blocklist(connection, _find(connection, name)))

    async def list(self) -> list[Blocklist]:
        """Every list, by name."""
        return await self._database.read(_all)

    async def add(self, name: str, new: Sequence[BlocklistItem]) -> int:
        """Put items on a list; returns how many were not on it before."""
        for item in new:
            _check(item)

        def insert(connection: sa.Connection) -> int:
            row = _find(connection, name)
            known = set(_items(connection, row))
            fresh = [item for item in dict.fromkeys(new) if item not in known]
            if len(known) + len(fresh) > MOST_ITEMS:
                raise InvalidRequest(f"A block list holds up to {MOST_ITEMS} items. Make another for the rest.")
            if fresh:
                rows = [{"blocklist": row.sequence, "is_regex": one.is_regex, "text": one.text} for one in fresh]
                connection.execute(sa.insert(items), rows)
                _count_change(connection)
            return len(fresh)

        return await self._database.write(insert)

    async def remove(self, name: str, old: Sequence[BlocklistItem]) -> int:
        """Take items off a list; returns how many were on it."""

        def delete(connection: sa.Connection) -> int:
            sequence = _find(connection, name).sequence
            removed = sum(_remove(connection, sequence, item) for item in old)
            if removed:
                _count_change(connection)
            return removed

        return await self._database.write(delete)

    async def delete(self, name: str) -> Blocklist:
        """Forget a list; returns what there was."""

        def delete(connection: sa.Connection) -> Blocklist:
            row = _find(connection, name)
            before = _blocklist(connection, row)
            connection.execute(sa.delete(table).where(table.c.sequence == row.sequence))
            _count_change(connection)
            return before

        return await self._database.write(delete)

    async def changed_since(self, revision: int | None) -> Standing | None:
        """Every list, or None when nothing has changed since `revision`."""

        def select(connection: sa.Connection) -> Standing | None:
            query = sa.select(revisions.c.number).where(revisions.c.name == table.name)
            number = connection.execute(query).scalar_one_or_none() or 0
            return None if number == revision else Standing(number, _all(connection))

        return await self._database.read(select)


def _check(item: BlocklistItem) -> None:
    most = LONGEST_REGEX if item.is_regex else LONGEST_TERM
    if not item.text.strip() or len(item.text) > most:
        kind = "A regular expression" if item.is_regex else "A term"
        raise InvalidRequest(f"{kind} of a block list has 1 to {most} characters; this one has {len(item.text)}.")


def _row(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(table).where(table.c.name == name)).one_or_none()


def _find(connection: sa.Connection, name: str) -> sa.Row[Any]:
    row = _row(connection, name)
    if row is None:
        there = ", ".join(connection.execute(sa.select(table.c.name).order_by(table.c.name)).scalars())
        raise NotFound(f"There is no block list '{name}'. There are: {there or 'none; see smalt blocklists create'}.")
    return row


def _items(connection: sa.Connection, row: sa.Row[Any]) -> list[BlocklistItem]:
    query = sa.select(items.c.text, items.c.is_regex).where(items.c.blocklist == row.sequence)
    return [BlocklistItem(text, is_regex) for text, is_regex in connection.execute(query.order_by(items.c.sequence))]


def _remove(connection: sa.Connection, sequence: int, item: BlocklistItem) -> int:
    this = (items.c.blocklist == sequence, items.c.is_regex == item.is_regex, items.c.text == item.text)
    return connection.execute(sa.delete(items).where(*this)).rowcount


def _blocklist(connection: sa.Connection, row: sa.Row[Any]) -> Blocklist:
    return Blocklist(name=row.name, created_at=row.created_at, items=_items(connection, row))


def _all(connection: sa.Connection) -> list[Blocklist]:
    rows = connection.execute(sa.select(table).order_by(table.c.name)).all()
    return [_blocklist(connection, row) for row in rows]


def _count_change(connection: sa.Connection) -> None:
    add_counts(connection, revisions, identity={"name": table.name}, counts={"number": 1})
