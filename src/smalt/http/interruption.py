"""Ends the work for a request early: the client has gone, the time is up, or the server stops."""

import asyncio
from contextlib import suppress
from time import perf_counter
from types import TracebackType
from typing import Self

from starlette.types import Message, Receive, Scope

from smalt.core.errors import ApiError, TimedOut, Unavailable
from smalt.http.call import call_of

GRACE_SECONDS = 5.0
UNWATCHED_SECONDS = 0.03
"""Most requests are done by then, and never pay for the task that listens for a disconnect."""


class ClientGone(Exception):
    """The client closed the connection before its answer was complete."""


class Stopping:
    """Knows the requests at work, so that a stopping server can let them finish for a while and then end them."""

    def __init__(self) -> None:
        self.is_stopping = False
        self._at_work: set[Interruptible] = set()

    def begin(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Give the requests at work this long; each stream that is not done by then ends with an error event."""
        if not self.is_stopping:
            self.is_stopping = True
            asyncio.get_running_loop().call_later(grace_seconds, self._end_all)

    def add(self, work: "Interruptible") -> None:
        """Count in a request."""
        self._at_work.add(work)

    def discard(self, work: "Interruptible") -> None:
        """Count out a request."""
        self._at_work.discard(work)

    def _end_all(self) -> None:
        for work in tuple(self._at_work):
            work.interrupt(Unavailable("The server is stopping. Send the request again when it is back."))


class Interruptible:
    """A stretch of a request's work that a timer, a disconnect or a stopping server may cancel.

    The body of the `async with` is cancelled, and the reason is raised in its place.
    """

    def __init__(self, scope: Scope) -> None:
        state = scope["app"].state
        self._stopping: Stopping = state.stopping
        self._limit: float = state.settings.limits.request_timeout_seconds
        self._call = call_of(scope)
        self._reason: Exception | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = loop.call_later(max(self._left(), 0.0), self._time_is_up)
        self._stopping.add(self)
        return self

    def watch(self, receive: Receive) -> None:
        """Soon, treat a disconnect as a reason to stop; the request's body must have been read."""
        self._later = asyncio.get_running_loop().call_later(UNWATCHED_SECONDS, self._start_watching, receive)

    def patient(self, receive: Receive) -> Receive:
        """The same messages; each gives the work its whole time again, since a slow line is not slow work."""

        async def receive_and_wait() -> Message:
            message = await receive()
            self._call.progress()
            return message

        return receive_and_wait

    def interrupt(self, reason: Exception) -> None:
        """Cancel the work; the first reason counts."""
        if self._reason is None:
            self._reason = reason
            self._task.cancel()

    def _left(self) -> float:
        """Seconds until the time is up, unless the work gets on."""
        return self._limit - (perf_counter() - (self._call.progressed_at or self._call.started_at))

    def _time_is_up(self) -> None:
        if (left := self._left()) > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._time_is_up)
            return
        message = f"The request took longer than {self._limit:g} seconds. Ask for less, or raise "
        self.interrupt(TimedOut(message + "limits.request_timeout_seconds."))

    def _start_watching(self, receive: Receive) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch(receive))

    async def _watch(self, receive: Receive) -> None:
        with suppress(asyncio.CancelledError):
            while (await receive())["type"] != "http.disconnect":
                pass
            self.interrupt(ClientGone())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._stopping.discard(self)
        if self._later is not None:
            self._later.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._reason is None:
            return
        is_ours = self._task.uncancel() <= self._cancelling
        # An engine may have turned the cancellation into an error of its own; the reason is still the truth.
        if is_ours and (kind is asyncio.CancelledError or isinstance(error, ApiError)):
            raise self._reason from None
