"""Runs responses for requests, and sees to it that a stored one ends in the store, whether its client stays or not."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from smalt.api.generation import Generation
from smalt.api.responses.journal import Journal
from smalt.api.responses.plan import Json, Plan
from smalt.api.responses.run import Run, Spend
from smalt.core.errors import ApiError, NotFound, TimedOut, Unavailable
from smalt.core.settings import Settings
from smalt.engines.protocols import Usage
from smalt.http.call import Call
from smalt.store.responses import NewResponse, Responses

logger = logging.getLogger("smalt.responses")

HEARTBEAT_SECONDS = 15.0
RESERVED_SECONDS = 0.5
"""A run ends so long before its request, at most, that its client is told of the end by the response itself."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that has begun for a request: what it says, and what it comes to."""

    plan: Plan
    journal: Journal
    task: asyncio.Task[Json]

    async def batches(self) -> AsyncGenerator[list[Json]]:
        """The events as they come; raises what went wrong before the first.

        A reader who stops early ends a response that is not stored.
        """
        try:
            async for batch in self.journal.batches():
                yield batch
            # Without an event to tell it, a failure is the task's own.
            await asyncio.shield(self.task)
        finally:
            self._leave()

    async def answer(self) -> Json:
        """The object at its end; whoever waits no more ends a response that is not stored."""
        try:
            return await asyncio.shield(self.task)
        finally:
            self._leave()

    def _leave(self) -> None:
        if not self.plan.is_stored:
            self.task.cancel()


class Runs:
    """The responses that are made in this process for requests, until they end or it stops."""

    def __init__(
        self, settings: Settings, responses: Responses, *, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        self._settings = settings
        self._responses = responses
        self._heartbeat_seconds = heartbeat_seconds
        self._stored: dict[str, asyncio.Task[Json]] = {}
        self._alive: set[str] = set()
        self._others: set[asyncio.Task[Json]] = set()
        self._beating: asyncio.Task[None] | None = None
        self._is_closing = False

    @property
    def response_ids(self) -> list[str]:
        """The stored responses that are being made."""
        return list(self._stored)

    def begin(self, plan: Plan, generation: Generation, call: Call) -> Begun:
        """Begin to make a response, in a task of its own."""
        journal = Journal(is_held=plan.is_stored)
        run = Run(plan, generation, journal.add, spend_of(plan, call), self._settings.responses)
        if plan.is_stored:
            task = asyncio.create_task(self._kept(run, journal, plan, call))
            self._stored[plan.id] = task
            task.add_done_callback(lambda _: self._stored.pop(plan.id, None))
            self._beat()
        else:
            task = asyncio.create_task(self._made(run, call))
            self._others.add(task)
            task.add_done_callback(self._others.discard)
        task.add_done_callback(lambda done: _closed(journal, done))
        return Begun(plan, journal, task)

    async def close(self) -> None:
        """Stop every run; what is stored ends as failed."""
        self._is_closing = True
        tasks: list[asyncio.Task[Any]] = [*self._stored.values(), *self._others]
        if self._beating is not None:
            tasks.append(self._beating)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _made(self, run: Run, call: Call) -> Json:
        """The response, for as long as a request may take."""
        limit = self._settings.limits.request_timeout_seconds
        left = limit - min(RESERVED_SECONDS, limit / 10) - (perf_counter() - call.started_at)
        try:
            async with asyncio.timeout(left):
                return await run.run()
        except TimeoutError:
            late = TimedOut(f"The response took longer than {limit:g} seconds. Ask for it with background.")
            if not run.has_started:
                raise late from None
            run.fail(late)
            return run.response

    async def _kept(self, run: Run, journal: Journal, plan: Plan, call: Call) -> Json:
        """The response, in the store from beginning to end; one that never began is not left there."""
        beginning = asyncio.create_task(self._begin(new_response(plan, call), journal))
        try:
            response = await self._made_or_stopped(run, call)
            # Written while the model read the prompt; its failure is the request's.
            await beginning
        except Exception:
            await asyncio.wait([beginning])
            with suppress(ApiError):
                await self._responses.delete(plan.project, plan.id)
            raise
        finally:
            self._alive.discard(plan.id)
        await self._responses.finish(plan.project, plan.id, response)
        return response

    async def _made_or_stopped(self, run: Run, call: Call) -> Json:
        """The response; when its task is cancelled, as failed."""
        try:
            return await self._made(run, call)
        except asyncio.CancelledError:
            reason = self._reason()
            if not run.has_started:
                raise reason from None
            run.fail(reason)
            return run.response

    def _reason(self) -> ApiError:
        if self._is_closing:
            return Unavailable("The server stopped while it made this response. Send the request again.")
        return NotFound("The response was deleted while it was made.")

    async def _begin(self, new: NewResponse, journal: Journal) -> None:
        await self._responses.begin(new)
        self._alive.add(new.id)
        journal.release()

    def _beat(self) -> None:
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._keep_alive())

    async def _keep_alive(self) -> None:
        """Say that the stored ones are still being made, and stop those that were deleted."""
        while self._stored:
            await asyncio.sleep(self._heartbeat_seconds)
            try:
                stopped = await self._responses.keep_alive(self._alive)
            except Exception:
                logger.exception("could not say which responses are at work")
                continue
            for response_id in stopped & self._alive:
                self._stored[response_id].cancel()


def spend_of(plan: Plan, call: Call) -> Spend:
    """Reports what a run has used as this call's."""

    def spend(model: str, used: Usage) -> None:
        call.spend(
            model,
            prompt_tokens=used.prompt_tokens,
            completion_tokens=used.completion_tokens,
            cached_tokens=used.cached_tokens,
            reasoning_tokens=used.reasoning_tokens,
            user=plan.request.user,
        )

    return spend


def new_response(plan: Plan, call: Call, *, events: Sequence[Json] = ()) -> NewResponse:
    """What the store gets when a response begins."""
    request = plan.request
    return NewResponse(
        id=plan.id,
        project=plan.project,
        created_at=plan.response["created_at"],
        model=plan.response["model"],
        body=request.model_dump(exclude_unset=True, by_alias=True),
        response=plan.response,
        input=plan.input,
        previous_response_id=request.previous_response_id,
        conversation_id=plan.conversation_id,
        is_background=plan.is_background,
        is_streamed=bool(request.stream),
        key_id=call.caller.key_id,
        key_name=call.caller.key_name,
        events=events,
    )


def _closed(journal: Journal, task: asyncio.Task[Json]) -> None:
    """Let the reader have the end; a failure that no reader takes has been logged or told."""
    journal.close()
    if not task.cancelled():
        task.exception()
