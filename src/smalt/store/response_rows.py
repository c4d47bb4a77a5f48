"""Responses as the database has them: found, read with what came before them, and forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.errors import InvalidRequest, NotFound
from smalt.store.cursors import Slice
from smalt.store.paging import Page
from smalt.store.tables import conversation_items, conversations
from smalt.store.tables import response_events as events_table
from smalt.store.tables import response_input_items as inputs
from smalt.store.tables import responses as table

Json = dict[str, Any]
Row = sa.Row[Any]

FINISHED = frozenset({"completed", "incomplete", "failed", "cancelled"})
NEW_STATUSES = frozenset({"queued", "in_progress"})
DELETED_OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response as far as it is: `response` is the object; `body` is the request, while a job works on it."""

    id: str
    project: str
    created_at: int
    model: str
    body: Json
    response: Json
    is_background: bool
    is_streamed: bool
    """Whether it was asked for as a stream, whose events are kept."""
    conversation_id: str | None
    key_id: str
    key_name: str

    @property
    def status(self) -> str:
        """Queued, in_progress, completed, incomplete, failed or cancelled."""
        return self.response["status"]

    @property
    def is_finished(self) -> bool:
        """Whether it stays as it is."""
        return self.status in FINISHED


def stored(row: Row) -> StoredResponse:
    """What a row says."""
    return StoredResponse(
        row.id,
        row.project,
        row.created_at,
        row.model,
        row.body,
        row.response,
        row.is_background,
        row.is_streamed,
        row.conversation_id,
        row.key_id,
        row.key_name,
    )


def find_response(connection: sa.Connection, project: str, response_id: str, *, lock: bool = False) -> Row:
    """The row of a response; `NotFound` when this project has none of this id, or no longer."""
    query = sa.select(table).where(table.c.id == response_id, table.c.project == project, table.c.deleted_at.is_(None))
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound(f"Response with id '{response_id}' not found.")
    return row


def find_previous(connection: sa.Connection, project: str, response_id: str) -> Row:
    """The row of a response that another goes on from; `InvalidRequest` when it cannot be gone on from."""
    try:
        row = find_response(connection, project, response_id)
    except NotFound as error:
        message = f"Previous response with id '{response_id}' not found."
        raise InvalidRequest(message, param="previous_response_id", code="previous_response_not_found") from error
    if row.finished_at is None:
        raise InvalidRequest(
            f"Previous response with id '{response_id}' is {row.status}. Wait until it has ended, or cancel it.",
            param="previous_response_id",
        )
    return row


def read_input(connection: sa.Connection, response: int) -> list[Json]:
    """The items that a response itself was asked with."""
    query = sa.select(inputs.c.item).where(inputs.c.response == response).order_by(inputs.c.position)
    return list(connection.execute(query).scalars())


def read_context(connection: sa.Connection, row: Row) -> list[Json]:
    """Everything that a response was asked with: what came before it, and its own input; oldest first."""
    chain = _chain(connection, row)
    own = _inputs_of(connection, [one.sequence for one in chain])
    items = _read_conversation(connection, chain[0])
    for one in chain:
        items += own.get(one.sequence, [])
        if one.sequence != row.sequence:
            items += one.response[DELETED_OUTPUT]
    return items


def read_events(connection: sa.Connection, response: int, number: int) -> list[Json]:
    """The events of a response behind the one with this number."""
    behind = (events_table.c.response == response, events_table.c.last > number)
    query = sa.select(events_table.c.events).where(*behind).order_by(events_table.c.first)
    pieces: list[list[Json]] = list(connection.execute(query).scalars())
    return [event for piece in pieces for event in piece if event["sequence_number"] > number]


def next_number(connection: sa.Connection, response: int) -> int:
    """The number of the event that comes next."""
    query = sa.select(sa.func.max(events_table.c.last)).where(events_table.c.response == response)
    last = connection.execute(query).scalar_one()
    return 0 if last is None else last + 1


def add_events(connection: sa.Connection, response: int, events: Sequence[Json]) -> None:
    """Add events, in the order of their numbers; there must be some."""
    first, last = events[0]["sequence_number"], events[-1]["sequence_number"]
    values = {"response": response, "first": first, "last": last, "events": list(events)}
    connection.execute(sa.insert(events_table).values(values))


def drop_events(connection: sa.Connection, response: int) -> None:
    """Forget the events of a response."""
    connection.execute(sa.delete(events_table).where(events_table.c.response == response))


def conversation_end(connection: sa.Connection, conversation_id: str) -> int:
    """The place of the last item that a conversation has now; 0 when it has none."""
    query = (
        sa.select(sa.func.max(conversation_items.c.sequence))
        .join(conversations, conversations.c.sequence == conversation_items.c.conversation)
        .where(conversations.c.id == conversation_id)
    )
    return connection.execute(query).scalar_one() or 0


def forget_unneeded(connection: sa.Connection, sequence: int | None) -> None:
    """Remove a deleted response that no other goes on from, and then what it went on from, if that is deleted too."""
    while sequence is not None:
        row = connection.execute(sa.select(table).where(table.c.sequence == sequence)).one()
        child = sa.select(table.c.sequence).where(table.c.previous == sequence).limit(1)
        if row.deleted_at is None or connection.execute(child).first() is not None:
            return
        connection.execute(sa.delete(table).where(table.c.sequence == sequence))
        sequence = row.previous


def _chain(connection: sa.Connection, row: Row) -> Sequence[Any]:
    """The responses that one goes on from and itself, oldest first."""
    if row.previous is None:
        return [row]
    places = sa.select(table.c.sequence, table.c.previous).where(table.c.sequence == row.sequence).cte(recursive=True)
    places = places.union_all(
        sa.select(table.c.sequence, table.c.previous).where(table.c.sequence == places.c.previous)
    )
    columns = (table.c.sequence, table.c.response, table.c.conversation_id, table.c.conversation_end, table.c.project)
    query = sa.select(*columns).join(places, places.c.sequence == table.c.sequence)
    # A response is always younger than what it goes on from.
    return connection.execute(query.order_by(table.c.sequence)).all()


def _inputs_of(connection: sa.Connection, responses: Sequence[int]) -> dict[int, list[Json]]:
    """The input of several responses; asked for in pieces, since databases bound the values of a query."""
    found: dict[int, list[Json]] = {}
    for start in range(0, len(responses), 500):
        some = inputs.c.response.in_(responses[start : start + 500])
        query = sa.select(inputs).where(some).order_by(inputs.c.response, inputs.c.position)
        for one in connection.execute(query):
            found.setdefault(one.response, []).append(one.item)
    return found


def _read_conversation(connection: sa.Connection, row: Row) -> list[Json]:
    """What the conversation of a response had said before it."""
    if row.conversation_id is None:
        return []
    query = (
        sa.select(conversation_items.c.item)
        .join(conversations, conversations.c.sequence == conversation_items.c.conversation)
        .where(conversations.c.id == row.conversation_id, conversations.c.project == row.project)
        .where(conversation_items.c.deleted_at.is_(None), conversation_items.c.sequence <= row.conversation_end)
    )
    return list(connection.execute(query.order_by(conversation_items.c.sequence)).scalars())


def page_of(items: Sequence[Json], page: Slice) -> Page[Json]:
    """The page of a list that is in the page's order already."""
    start, end = 0, len(items)
    if page.after is not None:
        start = _place(items, page.after, "after") + 1
    if page.before is not None:
        end = _place(items, page.before, "before")
    if page.after is None and page.before is not None:
        found = items[max(start, end - page.limit) : end]
        return Page(list(found), has_more=end - start > len(found))
    found = items[start : min(end, start + page.limit)]
    return Page(list(found), has_more=end - start > len(found))


def _place(items: Sequence[Json], cursor: str, param: str) -> int:
    for place, item in enumerate(items):
        if item["id"] == cursor:
            return place
    raise NotFound(f"No input item has the id '{cursor}'; list from the start again.", param=param)
