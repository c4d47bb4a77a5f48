"""Responses that are kept: begun, written on while they are made, ended once, and read later."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import Conflict, InvalidRequest
from smalt.store.cursors import Slice
from smalt.store.database import Database
from smalt.store.paging import Page
from smalt.store.response_endings import cancel, hear, put
from smalt.store.response_rows import (
    DELETED_OUTPUT,
    FINISHED,
    Json,
    Row,
    StoredResponse,
    add_events,
    conversation_end,
    drop_events,
    find_previous,
    find_response,
    forget_unneeded,
    next_number,
    page_of,
    read_context,
    read_events,
    read_input,
    stored,
)
from smalt.store.tables import response_input_items as inputs
from smalt.store.tables import responses as table

__all__ = ["Followed", "NewResponse", "Responses", "StoredResponse"]

JOB_KIND = "respond"
JOB_QUEUE = "responses"


class Jobs(Protocol):
    """Where durable jobs are asked for; the room of jobs lies above the store."""

    def ask(self, connection: sa.Connection, job_id: str, *, kind: str, queue: str, project: str) -> None:
        """Ask for a job within a write."""
        ...

    def cancel(self, connection: sa.Connection, job_id: str) -> None:
        """Ask for the end of a job within a write."""
        ...

    def wake(self) -> None:
        """Tell the runner that there is something to do."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResponse:
    """A response that begins.

    `body` is the request, kept so that a job can plan it again, `response` the object as it begins, `input` the
    request's own items with their ids, `events` what a background response begins with. Its events stay when it
    `is_streamed`, or else only until it has ended.
    """

    id: str
    project: str
    created_at: int
    model: str
    body: Json
    response: Json
    input: Sequence[Json]
    previous_response_id: str | None = None
    conversation_id: str | None = None
    is_background: bool = False
    is_streamed: bool = False
    key_id: str
    key_name: str
    events: Sequence[Json] = ()


@dataclass(frozen=True, slots=True)
class Followed:
    """What has happened to a response since an event: the events behind it, and whether these are all."""

    events: Sequence[Json]
    is_finished: bool


class Responses:
    """The responses of every project; a caller sees its own project's only."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    async def begin(self, new: NewResponse) -> None:
        """Keep a response from its beginning; one in the background has its job from then on."""

        def insert(connection: sa.Connection) -> None:
            row = _new_row(connection, new)
            sequence: int = connection.execute(sa.insert(table).values(row).returning(table.c.sequence)).scalar_one()
            if new.input:
                rows: list[Json] = [
                    {"response": sequence, "position": at, "item": item} for at, item in enumerate(new.input)
                ]
                connection.execute(sa.insert(inputs), rows)
            if new.events:
                add_events(connection, sequence, new.events)
            if new.is_background:
                self._jobs.ask(connection, new.id, kind=JOB_KIND, queue=JOB_QUEUE, project=new.project)

        await self._database.write(insert)
        if new.is_background:
            self._jobs.wake()

    async def append(self, response_id: str, events: Sequence[Json], response: Json | None = None) -> bool:
        """Add events to a background response, and the object as they leave it; with its end the response has ended.

        False when nothing may be added: it has ended (cancelled, say), is deleted, or another run is ahead of this one.
        """

        def write(connection: sa.Connection) -> bool:
            row = hear(connection, response_id)
            if row is None or (events and events[0]["sequence_number"] != next_number(connection, row.sequence)):
                return False
            if events:
                add_events(connection, row.sequence, events)
            if response is not None:
                put(connection, row, response)
            return True

        return await self._database.write(write)

    async def finish(self, project: str, response_id: str, response: Json) -> None:
        """End a response, however it went; what it was asked and said goes into its conversation.

        One that has ended or was deleted stays as it is.
        """

        def write(connection: sa.Connection) -> None:
            row = hear(connection, response_id, project)
            if row is not None:
                put(connection, row, response)

        await self._database.write(write)

    async def keep_alive(self, response_ids: Iterable[str]) -> set[str]:
        """Say that these are being worked on; returns those that are to stop, since they have ended or are deleted."""
        asked = set(response_ids)

        def write(connection: sa.Connection) -> set[str]:
            unfinished = (table.c.id.in_(asked), table.c.finished_at.is_(None))
            connection.execute(sa.update(table).where(*unfinished).values(heard_at=now()))
            return asked - set(connection.execute(sa.select(table.c.id).where(*unfinished)).scalars())

        return await self._database.write(write) if asked else set()

    async def get(self, project: str, response_id: str) -> StoredResponse:
        """Find one, as far as it is; `NotFound` when this project has none of this id."""
        return await self._database.read(lambda connection: stored(find_response(connection, project, response_id)))

    async def find(self, response_id: str) -> StoredResponse | None:
        """Find one of any project, for those who work on it."""
        query = sa.select(table).where(table.c.id == response_id, table.c.deleted_at.is_(None))

        def read(connection: sa.Connection) -> StoredResponse | None:
            row = connection.execute(query).one_or_none()
            return None if row is None else stored(row)

        return await self._database.read(read)

    async def own_input(self, project: str, response_id: str) -> list[Json]:
        """The items that the request itself had."""

        def read(connection: sa.Connection) -> list[Json]:
            return read_input(connection, find_response(connection, project, response_id).sequence)

        return await self._database.read(read)

    async def context(self, project: str, response_id: str) -> list[Json]:
        """Everything up to the end of a response's output, oldest first, for one that goes on from it.

        `InvalidRequest` when it is not there or has not ended.
        """

        def read(connection: sa.Connection) -> list[Json]:
            row = find_previous(connection, project, response_id)
            return [*read_context(connection, row), *row.response["output"]]

        return await self._database.read(read)

    async def input_items(self, project: str, response_id: str, page: Slice) -> Page[Json]:
        """One page of what a response was asked with, what came before it included."""

        def read(connection: sa.Connection) -> Page[Json]:
            items = read_context(connection, find_response(connection, project, response_id))
            return page_of(items if page.order == "asc" else items[::-1], page)

        return await self._database.read(read)

    async def events_after(self, project: str, response_id: str, number: int) -> list[Json]:
        """The events behind the one with this number; -1 for all."""
        return list((await self.follow(project, response_id, number)).events)

    async def follow(self, project: str, response_id: str, number: int) -> Followed:
        """The events behind the one with this number, and whether the response has ended with them."""

        def read(connection: sa.Connection) -> Followed:
            row = find_response(connection, project, response_id)
            return Followed(read_events(connection, row.sequence, number), row.finished_at is not None)

        return await self._database.read(read)

    async def cancel(self, project: str, response_id: str) -> StoredResponse:
        """Cancel one in the background; doing so again changes nothing. `Conflict` when it has ended otherwise."""

        def write(connection: sa.Connection) -> StoredResponse:
            row = find_response(connection, project, response_id, lock=True)
            _require_cancellable(row)
            if row.finished_at is None:
                cancel(connection, row)
                self._jobs.cancel(connection, response_id)
            return stored(find_response(connection, project, response_id))

        cancelled = await self._database.write(write)
        self._jobs.wake()
        return cancelled

    async def delete(self, project: str, response_id: str) -> None:
        """Forget one for good, and stop it; what it said stays, unseen, as long as a later response goes on from it."""

        def write(connection: sa.Connection) -> bool:
            row = find_response(connection, project, response_id, lock=True)
            is_unfinished_job = row.is_background and row.finished_at is None
            if is_unfinished_job:
                self._jobs.cancel(connection, response_id)
            emptied = {
                "body": {},
                "response": {DELETED_OUTPUT: row.response["output"]},
                "finished_at": row.finished_at or now(),
                "deleted_at": now(),
            }
            connection.execute(sa.update(table).where(table.c.sequence == row.sequence).values(emptied))
            drop_events(connection, row.sequence)
            forget_unneeded(connection, row.sequence)
            return is_unfinished_job

        if await self._database.write(write):
            self._jobs.wake()


def _new_row(connection: sa.Connection, new: NewResponse) -> dict[str, Any]:
    previous = None
    if new.previous_response_id is not None:
        previous = find_previous(connection, new.project, new.previous_response_id).sequence
    conversation = new.conversation_id
    return {
        "id": new.id,
        "project": new.project,
        "created_at": new.created_at,
        "model": new.model,
        "previous": previous,
        "conversation_id": new.conversation_id,
        "conversation_end": None if conversation is None else conversation_end(connection, conversation),
        "status": new.response["status"],
        "is_background": new.is_background,
        "is_streamed": new.is_streamed,
        "key_id": new.key_id,
        "key_name": new.key_name,
        "body": new.body if new.is_background else {},
        "response": new.response,
        "heard_at": now(),
    }


def _require_cancellable(row: Row) -> None:
    if not row.is_background:
        raise InvalidRequest("Cannot cancel a synchronous response. Close the connection of its request instead.")
    if row.status in FINISHED - {"cancelled"}:
        raise Conflict(f"Cannot cancel a response that is {row.status}.")
