"""What is written down about each row of a run, around the call that is made for it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson

from smalt.connectors.exchange import Answer, OutgoingCall
from smalt.connectors.refusals import Interrupted
from smalt.core.errors import ApiError, Unavailable
from smalt.core.ids import random_id
from smalt.store.connector_run_rows import ConnectorRunRows, Ending, WaitingRow
from smalt.store.connector_runs import StoredRun
from smalt.store.database import Database
from smalt.store.failures import OutcomeUnknown

AT_ONCE: Final = 200
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD"})
PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between attempts to write a result down; each has the database's own patience besides."""

logger = logging.getLogger(__name__)


class Journal:
    """The rows of a run that are still to be worked on, and what became of them."""

    def __init__(self, database: Database, run: StoredRun) -> None:
        self._run_id = run.id
        self._rows = ConnectorRunRows(database, run.id, random_id("worker_"))

    async def take_over(self) -> None:
        """Become the one that works on the run."""
        await self._rows.take_over()

    async def waiting(self) -> AsyncIterator[WaitingRow]:
        """The rows to be worked on, in their order, as they stand when they are reached."""
        after = -1
        while rows := await self._rows.waiting(after, AT_ONCE):
            for row in rows:
                yield row
            after = rows[-1].position

    def entry(self, row: WaitingRow, *, is_smalt: bool) -> "Entry":
        """What is written down about a row."""
        return Entry(self._rows, self._run_id, row, is_smalt=is_smalt)


class Entry:
    """One row's place in the journal.

    A row is `started` only while its call is out: not while it waits for its turn, nor between two attempts. So a kill
    leaves in doubt what is in doubt, and no more.
    """

    def __init__(
        self,
        rows: ConnectorRunRows,
        run_id: str,
        row: WaitingRow,
        *,
        is_smalt: bool,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.row: Final = row
        self.is_out = False
        self._rows = rows
        self._run_id = run_id
        self._is_smalt = is_smalt
        self._pauses = pauses
        self._is_repeatable = False
        self._attempt = row.attempt

    @property
    def idempotency_key(self) -> str:
        """The same for the same call, whoever makes it again."""
        return f"{self._run_id}-{self.row.position}-{self.row.generation}"

    def prepare(self, call: OutgoingCall) -> None:
        """Take note of the call that is to be made."""
        self._is_repeatable = call.method in IDEMPOTENT_METHODS or (call.method == "POST" and self._is_smalt)

    async def start(self) -> None:
        """The call goes out now."""
        self._attempt += 1
        # As good as out: who is cancelled here cannot tell whether it was written down.
        self.is_out = True
        await self._rows.start(self.row.position, self._attempt, is_repeatable=self._is_repeatable)

    async def put_back(self) -> None:
        """The call brought nothing, and is to be made again later."""
        if self.is_out:
            self.is_out = False
            await self._rows.put_back(self.row.position, self._attempt)

    async def succeed(self, result: object, answer: Answer | None) -> None:
        """The row has its result, which is paid for: a database that is away for a while gets it later."""
        code = None if answer is None else answer.status
        ending = Ending(status="succeeded", result=orjson.dumps(result), status_code=code)
        for pause in self._pauses:
            try:
                await self._end(ending)
            except (Unavailable, OutcomeUnknown):
                logger.warning("a result waits for the database", extra={"run": self._run_id, "row": self.row.position})
                await asyncio.sleep(pause)
            else:
                return
        await self._end(ending)

    async def fail(self, error: ApiError) -> None:
        """The row has none; an interrupted call's fate is not known."""
        status = "interrupted" if isinstance(error, Interrupted) else "failed"
        code = error.status if self._attempt > self.row.attempt else None
        await self._end(Ending(status=status, status_code=code, error=_kept(error.message)))

    async def _end(self, ending: Ending) -> None:
        await self._rows.end(self.row.position, self._attempt, ending)
        self.is_out = False


def _kept(message: str) -> str:
    """A message as any database keeps it: services repeat what they were sent, null characters too."""
    return message.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
