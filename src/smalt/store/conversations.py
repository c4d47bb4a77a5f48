"""Conversations: made, read, changed and deleted, with the items in them, in the order they were added."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.ids import timed_id
from smalt.store.cursors import Collection, Slice, fetch_page
from smalt.store.database import Database
from smalt.store.paging import Page
from smalt.store.tables import conversation_items as items_table
from smalt.store.tables import conversations as table

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, without its items."""

    sequence: int
    id: str
    created_at: int
    metadata: Mapping[str, str]


class Conversations:
    """The conversations of every project; a caller sees its own project's only.

    Items are kept whole, each with its `id`, which is unique within its conversation.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, project: str, items: Sequence[Json], metadata: Mapping[str, str]) -> Conversation:
        """Make a conversation that begins with `items`."""
        conversation_id = f"{timed_id('conv_')}{secrets.token_hex(8)}"

        def insert(connection: sa.Connection) -> Conversation:
            moment = now()
            row = {
                "id": conversation_id,
                "project": project,
                "metadata": dict(metadata),
                "created_at": moment,
                "last_item_at": moment,
            }
            connection.execute(sa.insert(table).values(row))
            conversation = _find(connection, project, conversation_id)
            _append_new(connection, conversation, items)
            return conversation

        return await self._database.write(insert)

    async def get(self, project: str, conversation_id: str) -> Conversation:
        """Find one; `NotFound` when this project has none of this id."""
        return await self._database.read(lambda connection: _find(connection, project, conversation_id))

    async def update(self, project: str, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Replace the metadata of one."""

        def change(connection: sa.Connection) -> Conversation:
            found = _find(connection, project, conversation_id)
            values = {"metadata": dict(metadata)}
            connection.execute(sa.update(table).where(table.c.sequence == found.sequence).values(values))
            return _find(connection, project, conversation_id)

        return await self._database.write(change)

    async def delete(self, project: str, conversation_id: str) -> None:
        """Delete one and what it says; responses that were made in it keep their own items."""

        def remove(connection: sa.Connection) -> None:
            found = _find(connection, project, conversation_id)
            connection.execute(sa.delete(table).where(table.c.sequence == found.sequence))

        await self._database.write(remove)

    async def add(self, project: str, conversation_id: str, items: Sequence[Json]) -> None:
        """Add items at the end: all, or none and `InvalidRequest` when an id is there already."""

        def insert(connection: sa.Connection) -> None:
            _append_new(connection, _find(connection, project, conversation_id), items)

        await self._database.write(insert)

    async def page(self, project: str, conversation_id: str, page: Slice) -> Page[Json]:
        """One page of the items, by the order they were added in."""

        def select(connection: sa.Connection) -> Page[Json]:
            conversation = _find(connection, project, conversation_id)
            scope = items_table.c.conversation == conversation.sequence
            found = fetch_page(connection, Collection(items_table, items_table.c.id, scope, "conversation item"), page)
            return Page([row.item for row in found.items], has_more=found.has_more)

        return await self._database.read(select)

    async def item(self, project: str, conversation_id: str, item_id: str) -> Json:
        """One item; `NotFound` when the conversation has none of this id."""

        def select(connection: sa.Connection) -> Json:
            return _find_item(connection, _find(connection, project, conversation_id), item_id).item

        return await self._database.read(select)

    async def delete_item(self, project: str, conversation_id: str, item_id: str) -> Conversation:
        """Take an item out; returns the conversation."""

        def remove(connection: sa.Connection) -> Conversation:
            conversation = _find(connection, project, conversation_id)
            row = _find_item(connection, conversation, item_id)
            emptied = {"item": None, "deleted_at": now()}
            connection.execute(sa.update(items_table).where(items_table.c.sequence == row.sequence).values(emptied))
            return conversation

        return await self._database.write(remove)

    async def items(self, project: str, conversation_id: str) -> list[Json]:
        """Every item, the oldest first; the `NotFound` names the parameter `conversation` of a request."""

        def select(connection: sa.Connection) -> list[Json]:
            conversation = _find(connection, project, conversation_id, param="conversation")
            query = sa.select(items_table.c.item).where(*_live(conversation)).order_by(items_table.c.sequence)
            return list(connection.execute(query).scalars())

        return await self._database.read(select)

    async def find_items(self, project: str, item_ids: Sequence[str]) -> dict[str, Json]:
        """Those of these items that are in any conversation of the project, by id; the last added wins."""

        def select(connection: sa.Connection) -> dict[str, Json]:
            query = (
                sa.select(items_table.c.id, items_table.c.item)
                .join(table, items_table.c.conversation == table.c.sequence)
                .where(table.c.project == project, items_table.c.id.in_(item_ids), items_table.c.deleted_at.is_(None))
                .order_by(items_table.c.sequence)
            )
            return {row.id: row.item for row in connection.execute(query)}

        return await self._database.read(select) if item_ids else {}


def add_items(connection: sa.Connection, project: str, conversation_id: str, items: Sequence[Json]) -> None:
    """Add items at the end, within a write; those that are there already stay as they are.

    A conversation that was deleted meanwhile gets nothing.
    """
    try:
        conversation = _find(connection, project, conversation_id)
    except NotFound:
        return
    moment = _next_moment(connection, conversation)
    present = _present(connection, conversation, items)
    missing = {item["id"]: item for item in items if item["id"] not in present}
    _append(connection, conversation, list(missing.values()), moment)


def _append_new(connection: sa.Connection, conversation: Conversation, items: Sequence[Json]) -> None:
    moment = _next_moment(connection, conversation)
    seen = _present(connection, conversation, items)
    for number, item in enumerate(items):
        if item["id"] in seen:
            raise InvalidRequest(
                f"Duplicate item found with id '{item['id']}'. Remove the item, or only its id, and try again.",
                param=f"items[{number}].id",
            )
        seen.add(item["id"])
    _append(connection, conversation, items, moment)


def _append(connection: sa.Connection, conversation: Conversation, items: Sequence[Json], moment: int) -> None:
    rows = [
        {"conversation": conversation.sequence, "id": item["id"], "created_at": moment, "item": item} for item in items
    ]
    if rows:
        connection.execute(sa.insert(items_table), rows)


def _next_moment(connection: sa.Connection, conversation: Conversation) -> int:
    """When the next items are added; until the transaction ends, nobody else adds any to this conversation."""
    here = table.c.sequence == conversation.sequence
    last = connection.execute(sa.select(table.c.last_item_at).where(here).with_for_update()).scalar_one()
    moment = max(now(), last)
    connection.execute(sa.update(table).where(here).values(last_item_at=moment))
    return moment


def _present(connection: sa.Connection, conversation: Conversation, items: Sequence[Json]) -> set[str]:
    wanted = [item["id"] for item in items]
    query = sa.select(items_table.c.id).where(*_live(conversation), items_table.c.id.in_(wanted))
    return set(connection.execute(query).scalars())


def _find(
    connection: sa.Connection, project: str, conversation_id: str, *, param: str = "conversation_id"
) -> Conversation:
    query = sa.select(table).where(table.c.id == conversation_id, table.c.project == project)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Conversation with id '{conversation_id}' not found.", param=param)
    return Conversation(row.sequence, row.id, row.created_at, row.metadata)


def _find_item(connection: sa.Connection, conversation: Conversation, item_id: str) -> sa.Row[Any]:
    query = sa.select(items_table).where(*_live(conversation), items_table.c.id == item_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"Item with id '{item_id}' not found in the conversation with id '{conversation.id}'.", param="item_id"
        )
    return row


def _live(conversation: Conversation) -> tuple[sa.ColumnElement[bool], ...]:
    return items_table.c.conversation == conversation.sequence, items_table.c.deleted_at.is_(None)
