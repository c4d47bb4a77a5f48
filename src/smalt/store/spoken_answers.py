"""Remembers what was said in spoken chat answers, for a while: later requests name them by their ids."""

from collections.abc import Callable, Collection

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.ids import timed_id
from smalt.store.database import Database
from smalt.store.tables import spoken_answers as table

BATCH = 500


class SpokenAnswers:
    """The spoken answers of every project; a caller sees its own project's only."""

    def __init__(self, database: Database, *, seconds: int, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._seconds = seconds
        self._clock = clock

    async def add(self, project: str, answer_id: str, transcript: str) -> int:
        """Remember what was said; returns the second at which it is forgotten. Durable when this returns."""
        expires_at = self._clock() + self._seconds
        row = {"id": answer_id, "project": project, "transcript": transcript, "expires_at": expires_at}
        await self._database.write(lambda connection: connection.execute(sa.insert(table).values(row)).close())
        return expires_at

    async def transcripts(self, project: str, answer_ids: Collection[str]) -> dict[str, str]:
        """What was said in each; those that have expired or never were are left out."""
        found: dict[str, str] = {}
        ids = list(answer_ids)
        # A database takes only so many values in one statement.
        for start in range(0, len(ids), BATCH):
            query = sa.select(table.c.id, table.c.transcript).where(
                table.c.project == project,
                table.c.id.in_(ids[start : start + BATCH]),
                table.c.expires_at > self._clock(),
            )
            rows = await self._database.read(lambda connection, query=query: list(connection.execute(query)))
            found |= {row.id: row.transcript for row in rows}
        return found


class ExpiredSpokenAnswers:
    """The sweep that forgets what has expired."""

    name = "spoken-answers"
    seconds = 60.0

    def __init__(self, database: Database, *, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._clock = clock

    async def sweep(self) -> None:
        """Do it now, a little at a time."""
        expired = sa.select(table.c.id).where(table.c.expires_at <= self._clock()).limit(BATCH)
        statement = sa.delete(table).where(table.c.id.in_(expired))
        while await self._database.write(lambda connection: connection.execute(statement).rowcount) == BATCH:
            pass


def spoken_answer_id() -> str:
    """An id of OpenAI's shape."""
    return timed_id("audio_")
