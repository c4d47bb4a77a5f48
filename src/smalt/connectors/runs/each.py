"""Works on the rows of a run, some at a time, and lets calls that are out come home when it is to stop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from smalt.connectors.carrier import HttpCarrier, Target, Throttled
from smalt.connectors.exchange import Answer, OutgoingCall
from smalt.connectors.retrying import Retries, asked_pause
from smalt.connectors.runs.journal import Entry, Journal
from smalt.connectors.runs.steps import Step
from smalt.core.errors import ApiError, InvalidRequest
from smalt.store.connector_run_rows import RowEnded, TakenOver, WaitingRow

logger = logging.getLogger(__name__)

HOMECOMING_SECONDS: Final = 120.0
"""How long calls that are out are waited for when the work is to stop."""

LOOK_SECONDS: Final = 0.1
LOOK_AGAIN_SECONDS: Final = 5.0
AT_WORK: Final = 409
AT_WORK_CODE: Final = b"idempotency_key_in_use"


@dataclass(frozen=True, slots=True)
class Reach:
    """How calls get where they go."""

    session: aiohttp.ClientSession
    target: Target
    throttle: Throttled | None = None
    policy: Retries = field(default_factory=Retries)
    extras: Mapping[str, str] = field(default_factory=dict[str, str])


class RowCarrier:
    """Carries the call of one row, and has it written down when it goes out."""

    def __init__(self, reach: Reach, entry: Entry) -> None:
        self._throttle = reach.throttle
        self._entry = entry
        self._carrier = HttpCarrier(reach.session, reach.target, self, reach.policy, sleep=self._rest)
        self.answer: Answer | None = None

    async def send(self, call: OutgoingCall, *, idempotency_key: str | None = None) -> Answer:
        """The service's answer."""
        self._entry.prepare(call)
        while _is_at_work(answer := await self._carrier.send(call, idempotency_key=idempotency_key)):
            # An earlier worker was killed while it waited for this answer; the server goes on with it.
            await self._rest(asked_pause(answer.headers) or LOOK_AGAIN_SECONDS)
        self.answer = answer
        return answer

    async def turn(self) -> None:
        """Wait for the turn, then write down that the call goes out."""
        if self._throttle is not None:
            await self._throttle.turn()
        await self._entry.start()

    async def _rest(self, seconds: float) -> None:
        await self._entry.put_back()
        await asyncio.sleep(seconds)


def _is_at_work(answer: Answer) -> bool:
    return answer.status == AT_WORK and AT_WORK_CODE in answer.content


class Line:
    """Takes one row after the other until there are none, or it is told to stop."""

    def __init__(self, step: Step, reach: Reach, journal: Journal) -> None:
        self._step = step
        self._reach = reach
        self._journal = journal
        self._is_stopping = False
        self._entry: Entry | None = None

    @property
    def is_out(self) -> bool:
        """Whether a call of this line is on its way."""
        return self._entry is not None and self._entry.is_out

    def stop(self) -> None:
        """Take no further row."""
        self._is_stopping = True

    async def work(self, rows: AsyncIterator[WaitingRow]) -> None:
        """Work on the rows that others do not take."""
        while not self._is_stopping and (row := await anext(rows, None)) is not None:
            self._entry = self._journal.entry(row, is_smalt=self._reach.target.is_smalt)
            await self._do(self._entry)

    async def _do(self, entry: Entry) -> None:
        carrier = RowCarrier(self._reach, entry)
        if entry.row.fault is not None:
            await entry.fail(InvalidRequest(entry.row.fault))
            return
        try:
            result = await self._step.do(
                carrier, self._reach.extras, scope=entry.row.input, idempotency_key=entry.idempotency_key
            )
        except ApiError as error:
            await entry.fail(error)
        except RowEnded:
            logger.info("an earlier call for a row was answered after all", extra={"row": entry.row.position})
        except TakenOver:
            raise
        except Exception as error:
            logger.exception("a row could not be worked on", extra={"row": entry.row.position})
            await entry.fail(ApiError(f"It went wrong here: {type(error).__name__}: {error}"))
        else:
            await entry.succeed(result, carrier.answer)


async def work_on_rows(step: Step, reach: Reach, journal: Journal, concurrency: int) -> None:
    """Work on every row that waits; raises `TakenOver` when another does.

    When it is cancelled, calls that are out come home first; a second cancellation does not hurry them.
    """
    await journal.take_over()
    rows = _Shared(journal.waiting())
    lines = [Line(step, reach, journal) for _ in range(concurrency)]
    tasks = {asyncio.create_task(line.work(rows)): line for line in lines}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await _home(tasks)


async def _home(tasks: Mapping["asyncio.Task[None]", Line]) -> None:
    """Wait for the calls that are out, and for nothing else."""
    until = asyncio.get_running_loop().time() + HOMECOMING_SECONDS
    for line in tasks.values():
        line.stop()
    while open_tasks := [task for task in tasks if not task.done()]:
        is_late = asyncio.get_running_loop().time() > until
        for task in open_tasks:
            if is_late or not tasks[task].is_out:
                task.cancel()
        # Whoever stops jobs asks again and again.
        with suppress(asyncio.CancelledError):
            await asyncio.wait(open_tasks, timeout=LOOK_SECONDS)


class _Shared(AsyncIterator[WaitingRow]):
    """Rows for several who take them at once."""

    def __init__(self, rows: AsyncIterator[WaitingRow]) -> None:
        self._rows = rows
        self._lock = asyncio.Lock()

    async def __anext__(self) -> WaitingRow:
        async with self._lock:
            return await anext(self._rows)
