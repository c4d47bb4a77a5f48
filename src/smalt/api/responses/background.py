"""The job `respond`: makes a response in the background, and goes on with it after a kill."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol

from smalt.api.generation import Generation
from smalt.api.responses.folding import ResponseFold
from smalt.api.responses.journal import ENDS
from smalt.api.responses.plan import Json, Plan
from smalt.api.responses.run import Run
from smalt.api.responses.spending import JobSpending
from smalt.api.responses.writer import ResponseWriter
from smalt.core.errors import ApiError, Conflict, NotFound
from smalt.core.settings import ResponseSettings
from smalt.jobs.protocols import JobContext, NewJob
from smalt.store.responses import JOB_KIND, JOB_QUEUE, Responses, StoredResponse

WRITE_SECONDS = 0.1
"""How long events may wait for others to be written with."""

TURNING_POINTS = ENDS | {"response.in_progress", "response.output_item.done"}
"""The types of events after which a client that asks for the object sees something new."""


class Planning(Protocol):
    """Understands a stored request again."""

    async def resumed(self, stored: StoredResponse) -> Plan:
        """The plan of a response that was begun before."""
        ...


class JobSink:
    """Takes the events of a run and writes them to the store, some at a time; `before` are those that are there."""

    def __init__(self, responses: Responses, response_id: str, before: Sequence[Json] = ()) -> None:
        self._responses = responses
        self._id = response_id
        self._fold = ResponseFold()
        for event in before:
            self._fold.add(event)
        self._events: list[Json] = []
        self._is_closed = False
        self._has_turned = False
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()

    def add(self, event: Json) -> None:
        """Take one event."""
        self._fold.add(event)
        self._events.append(event)
        self._news.set()
        if event["type"] in TURNING_POINTS:
            self._has_turned = True
            self._hurry.set()

    async def write_while(self, running: Coroutine[Any, Any, Json]) -> None:
        """Write until the run is over; a run whose response has ended otherwise, or is deleted, is stopped."""
        run = asyncio.create_task(running)
        run.add_done_callback(lambda _: self._close())
        try:
            await self._write()
        finally:
            run.cancel()
            await asyncio.wait([run])
        if not run.cancelled():
            run.result()

    def _close(self) -> None:
        self._is_closed = True
        self._news.set()
        self._hurry.set()

    async def _write(self) -> None:
        is_wanted = True
        while is_wanted and not (self._is_closed and not self._events):
            await self._news.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), WRITE_SECONDS)
            self._news.clear()
            self._hurry.clear()
            is_wanted = await self._flush()

    async def _flush(self) -> bool:
        events, self._events = self._events, []
        has_turned, self._has_turned = self._has_turned, False
        if not events:
            return True
        return await self._responses.append(self._id, events, self._fold.response() if has_turned else None)


class RespondHandler:
    """Makes responses in the background; their events tell where to go on, so it may begin again at any time."""

    kind = JOB_KIND
    queue = JOB_QUEUE

    def __init__(
        self,
        responses: Responses,
        planning: Planning,
        generation: Generation,
        spending: JobSpending,
        settings: ResponseSettings,
    ) -> None:
        self._responses = responses
        self._planning = planning
        self._generation = generation
        self._spending = spending
        self._settings = settings

    async def run(self, context: JobContext) -> None:
        """Make the response, or what is left of it; one that was deleted or has ended needs nothing more."""
        stored = await self._responses.find(context.id)
        if stored is None or stored.is_finished:
            return
        try:
            plan = await self._planning.resumed(stored)
        except ApiError as error:
            await self._fail(stored, error.message)
            return
        before = await self._told(stored)
        sink = JobSink(self._responses, stored.id, before)
        spend = await self._spending.of(stored)
        run = Run(plan, self._generation, sink.add, spend, self._settings, before=before)
        try:
            await sink.write_while(run.run())
        finally:
            await self._spending.flush()

    async def ended_early(self, job: NewJob, status: Literal["failed", "cancelled"], reason: str) -> None:
        """End the response as its job has ended."""
        stored = await self._responses.find(job.id)
        if stored is None or stored.is_finished:
            return
        if status == "failed":
            await self._fail(stored, f"The job failed: {reason}")
            return
        with suppress(Conflict, NotFound):
            await self._responses.cancel(stored.project, stored.id)

    async def close(self) -> None:
        """Write down what was spent."""
        await self._spending.close()

    async def _told(self, stored: StoredResponse) -> list[Json]:
        try:
            return await self._responses.events_after(stored.project, stored.id, -1)
        except NotFound:
            return []

    async def _fail(self, stored: StoredResponse, message: str) -> None:
        """End the response with an error; a run that went on meanwhile is let, and this is tried again."""
        told: list[Json] = []
        writer = ResponseWriter(stored.response, told.append, await self._told(stored))
        writer.fail(code="server_error", message=message, param=None, told_as="server_error")
        if await self._responses.append(stored.id, told, writer.response):
            return
        now = await self._responses.find(stored.id)
        if now is not None and not now.is_finished:
            raise Conflict(f"The response {stored.id} goes on elsewhere.")
