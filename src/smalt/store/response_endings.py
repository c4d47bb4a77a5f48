"""How kept responses end: by their run, by a cancellation, or because nobody works on them any more."""

from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.store.conversations import add_items
from smalt.store.database import Database
from smalt.store.response_rows import FINISHED, Json, Row, add_events, drop_events, next_number, read_input
from smalt.store.tables import responses as table

SILENT_SECONDS = 60
PIECE_ABANDONED = 100
ABANDONED: Json = {
    "code": "server_error",
    "message": "The server stopped while it worked on this response. Send the request again.",
}


class AbandonedResponses:
    """The sweep that fails responses whose server was killed; those in the background go on by themselves."""

    name = "responses"
    seconds = 15.0

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sweep(self) -> None:
        """Do it now; several runners may do so at once."""
        while await self._database.write(_fail_abandoned):
            pass


def silent_since(connection: sa.Connection) -> int | None:
    """The second at which `AbandonedResponses` has something to do, which may be past; None when there is nothing."""
    heard_at = connection.execute(sa.select(sa.func.min(table.c.heard_at)).where(*_in_foreground())).scalar_one()
    return None if heard_at is None else heard_at + SILENT_SECONDS + 1


def hear(connection: sa.Connection, response_id: str, project: str | None = None) -> Row | None:
    """The row of an unfinished response, locked and noted as worked on."""
    where = [table.c.id == response_id, table.c.finished_at.is_(None)]
    if project is not None:
        where.append(table.c.project == project)
    if connection.execute(sa.update(table).where(*where).values(heard_at=now())).rowcount == 0:
        return None
    return connection.execute(sa.select(table).where(table.c.id == response_id)).one()


def put(connection: sa.Connection, row: Row, response: Json) -> None:
    """Take the object as it now is; when that is its end, do what belongs to it."""
    values: dict[str, Any] = {"response": response, "status": response["status"]}
    if response["status"] in FINISHED:
        # The request is needed no more, and may hold secrets of other services.
        values |= {"finished_at": now(), "body": {}}
    connection.execute(sa.update(table).where(table.c.sequence == row.sequence).values(values))
    if response["status"] not in FINISHED:
        return
    if not row.is_streamed:
        drop_events(connection, row.sequence)
    if row.conversation_id is not None and response["status"] in {"completed", "incomplete"}:
        items = [*read_input(connection, row.sequence), *response["output"]]
        add_items(connection, row.project, row.conversation_id, items)


def cancel(connection: sa.Connection, row: Row) -> None:
    """End an unfinished response as cancelled; whoever follows its events hears of it.

    There is no event of its own for it: the services end the stream of a cancelled one with this one as well.
    """
    response: Json = {**row.response, "status": "cancelled", "output": [], "usage": None}
    if row.is_streamed:
        number = next_number(connection, row.sequence)
        event: Json = {"type": "response.failed", "response": response, "sequence_number": number}
        add_events(connection, row.sequence, [event])
    put(connection, row, response)


def _in_foreground() -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.finished_at.is_(None), table.c.is_background.is_(False))


def _fail_abandoned(connection: sa.Connection) -> bool:
    """Fail a piece of the abandoned ones; whether there may be more."""
    silent = table.c.heard_at < now() - SILENT_SECONDS
    query = sa.select(table.c.id).where(*_in_foreground(), silent).limit(PIECE_ABANDONED)
    abandoned = connection.execute(query).scalars().all()
    for response_id in abandoned:
        row = hear(connection, response_id)
        if row is not None:
            put(connection, row, {**row.response, "status": "failed", "error": ABANDONED})
    return len(abandoned) == PIECE_ABANDONED
