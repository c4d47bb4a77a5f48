"""Keeps the chat completions that were made with `store: true`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import NotFound
from smalt.store.database import Database
from smalt.store.paging import Order, Page
from smalt.store.tables import stored_completion_metadata as labels
from smalt.store.tables import stored_completions as table

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredCompletion:
    """A kept chat completion; `completion` is the object as the client got it, `metadata` its present metadata."""

    id: str
    created_at: int
    model: str
    completion: Json
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message of the request, as the client sent it, with the id that paging uses."""

    id: str
    message: Json


class StoredCompletions:
    """The stored chat completions of every project; a caller sees its own project's only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        project: str,
        completion: Json,
        *,
        messages: Sequence[Json],
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Keep `completion` (whose id, created and model it is found by); durable when this returns."""
        row = {
            "id": completion["id"],
            "project": project,
            "created_at": completion["created"],
            "model": completion["model"],
            "messages": list(messages),
            "completion": completion,
        }

        def insert(connection: sa.Connection) -> None:
            sequence = connection.execute(sa.insert(table).values(row).returning(table.c.sequence)).scalar_one()
            _write_labels(connection, sequence, metadata or {})

        await self._database.write(insert)

    async def get(self, project: str, completion_id: str) -> StoredCompletion:
        """Find one; `NotFound` when this project has none of this id."""

        def select(connection: sa.Connection) -> StoredCompletion:
            row = _find(connection, project, completion_id)
            return _completion(row, _read_labels(connection, [row.sequence]).get(row.sequence, {}))

        return await self._database.read(select)

    async def list(
        self,
        project: str,
        *,
        after: str | None = None,
        limit: int = 20,
        order: Order = "asc",
        model: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Page[StoredCompletion]:
        """One page by time of creation; `metadata` keeps those that have all of its pairs.

        `after` is the id of the last one of the page before; it may have been deleted since.
        """

        def select(connection: sa.Connection) -> Page[StoredCompletion]:
            query = sa.select(table).where(table.c.project == project, table.c.deleted_at.is_(None))
            if model is not None:
                query = query.where(table.c.model == model)
            query = query.where(*(_labelled(key, value) for key, value in (metadata or {}).items()))
            if after is not None:
                query = query.where(_beyond(connection, project, after, order=order))
            rows = connection.execute(query.order_by(*_ordering(order)).limit(limit + 1)).all()
            found = _read_labels(connection, [row.sequence for row in rows[:limit]])
            items = [_completion(row, found.get(row.sequence, {})) for row in rows[:limit]]
            return Page(items, has_more=len(rows) > limit)

        return await self._database.read(select)

    async def messages(
        self,
        project: str,
        completion_id: str,
        *,
        after: str | None = None,
        limit: int = 20,
        order: Order = "asc",
    ) -> Page[StoredMessage]:
        """One page of the messages that `completion_id` answered, in the order they were sent."""
        row = await self._database.read(lambda connection: _find(connection, project, completion_id))
        messages = [StoredMessage(f"{completion_id}-{index}", message) for index, message in enumerate(row.messages)]
        if order == "desc":
            messages.reverse()
        start = _position_after(messages, after)
        return Page(messages[start : start + limit], has_more=len(messages) > start + limit)

    async def update(self, project: str, completion_id: str, metadata: Mapping[str, str]) -> StoredCompletion:
        """Replace the metadata of one; `NotFound` as in `get`."""

        def replace(connection: sa.Connection) -> StoredCompletion:
            row = _find(connection, project, completion_id)
            connection.execute(sa.delete(labels).where(labels.c.sequence == row.sequence))
            _write_labels(connection, row.sequence, metadata)
            return _completion(row, dict(metadata))

        return await self._database.write(replace)

    async def delete(self, project: str, completion_id: str) -> None:
        """Forget one and its messages for good; `NotFound` as in `get`."""

        def remove(connection: sa.Connection) -> None:
            row = _find(connection, project, completion_id)
            connection.execute(sa.delete(labels).where(labels.c.sequence == row.sequence))
            emptied = {"messages": None, "completion": None, "deleted_at": now()}
            connection.execute(sa.update(table).where(table.c.sequence == row.sequence).values(emptied))

        await self._database.write(remove)


def _find(connection: sa.Connection, project: str, completion_id: str) -> sa.Row[Any]:
    query = sa.select(table).where(
        table.c.project == project, table.c.id == completion_id, table.c.deleted_at.is_(None)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"No stored chat completion has the id '{completion_id}'. Only completions made with store: true are kept.",
            param="completion_id",
        )
    return row


def _ordering(order: Order) -> list[sa.ColumnElement[Any]]:
    columns = (table.c.created_at, table.c.sequence)
    return [column.asc() if order == "asc" else column.desc() for column in columns]


def _beyond(connection: sa.Connection, project: str, after: str, *, order: Order) -> sa.ColumnElement[bool]:
    position = sa.tuple_(table.c.created_at, table.c.sequence)
    cursor = connection.execute(
        sa.select(table.c.created_at, table.c.sequence).where(table.c.project == project, table.c.id == after)
    ).one_or_none()
    if cursor is None:
        raise NotFound(f"No stored chat completion has the id '{after}'; list from the start again.", param="after")
    here = sa.tuple_(sa.literal(cursor.created_at), sa.literal(cursor.sequence))
    return position > here if order == "asc" else position < here


def _labelled(key: str, value: str) -> sa.ColumnElement[bool]:
    return (
        sa.select(labels.c.sequence)
        .where(labels.c.sequence == table.c.sequence, labels.c.key == key, labels.c.value == value)
        .exists()
    )


def _write_labels(connection: sa.Connection, sequence: int, metadata: Mapping[str, str]) -> None:
    rows = [
        {"sequence": sequence, "key": key, "value": value, "position": position}
        for position, (key, value) in enumerate(metadata.items())
    ]
    if rows:
        connection.execute(sa.insert(labels), rows)


def _read_labels(connection: sa.Connection, sequences: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    query = sa.select(labels).where(labels.c.sequence.in_(sequences)).order_by(labels.c.sequence, labels.c.position)
    for row in connection.execute(query):
        found.setdefault(row.sequence, {})[row.key] = row.value
    return found


def _completion(row: sa.Row[Any], metadata: dict[str, str]) -> StoredCompletion:
    return StoredCompletion(row.id, row.created_at, row.model, row.completion, metadata)


def _position_after(messages: Sequence[StoredMessage], after: str | None) -> int:
    if after is None:
        return 0
    for index, message in enumerate(messages):
        if message.id == after:
            return index + 1
    raise NotFound(f"No message of this chat completion has the id '{after}'.", param="after")
