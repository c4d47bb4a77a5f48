"""How chat and text completions are generated: from a leased engine's events to chunks, and from chunks to bytes."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

import orjson

from smalt.api.accounting import Asked, Tally
from smalt.api.closing import Closing
from smalt.api.filter_results import filtered_kinds
from smalt.api.hearing import Ears, Heard
from smalt.engines.protocols import (
    ChatDelta,
    ChatEvent,
    CompletionDelta,
    CompletionEvent,
    LateJudgement,
    PromptJudged,
    Serving,
)
from smalt.http.call import Call
from smalt.http.event_stream import DONE, data
from smalt.models import Models
from smalt.safety.content_filter import Checks, ContentFilter, PromptFiltered
from smalt.schemas.chat import AzureCreateChatCompletionRequest

Chunk = dict[str, Any]
RAI_INVOKED = (b"x-ms-rai-invoked", b"true")
"""The header by which Azure says that the content filter has looked."""

Event = TypeVar("Event", ChatEvent, CompletionEvent)
Event_contra = TypeVar("Event_contra", ChatEvent, CompletionEvent, contravariant=True)
Ability = TypeVar("Ability")


class Stamper(Protocol[Event_contra]):
    """Writes the chunks of one answer."""

    tally: Tally

    def stamp(self, event: Event_contra) -> list[Chunk]:
        """The chunks that one event makes: none, one, or several."""
        ...

    def finish(self) -> list[Chunk]:
        """The chunks after the last event."""
        ...


class Fold(Protocol):
    """Puts chunks together again."""

    def add(self, chunk: Chunk) -> None:
        """Take in one chunk."""
        ...

    def answer(self) -> Chunk:
        """The whole answer."""
        ...


class FilterMeter(Protocol):
    """Hears what the content filter has blocked."""

    def filtered(self, deployment: str, side: str, category: str) -> None:
        """Count a prompt or a choice that was blocked for a category."""
        ...


@dataclass(frozen=True, slots=True)
class Generation:
    """Generates with the models there are, past the content filter."""

    models: Models
    content_filter: ContentFilter
    ears: Ears | None = None
    """What hears recordings; without it they are left to the chat model."""
    meter: FilterMeter | None = None

    async def heard(self, body: AzureCreateChatCompletionRequest) -> Heard:
        """The conversation as its model can take it."""
        return Heard(body) if self.ears is None else await self.ears.hear(body)

    async def judge(self, asked: Asked, *, is_azure: bool) -> PromptJudged | None:
        """What the content filter finds in a request; raises `PromptFiltered` when it must not be answered."""
        return await self._judge(asked, self._checks(asked, is_azure=is_azure))

    async def events(
        self,
        asked: Asked,
        ability: type[Ability],
        begin: Callable[[Ability], AsyncIterator[Event]],
        *,
        is_azure: bool = False,
        documents: Sequence[str] = (),
    ) -> AsyncGenerator[Event]:
        """What an engine says to a request, as it comes, after what the filter says of the prompt.

        `documents` are shown to the model beside the conversation. What is found in the prompt is told with the first
        piece of the answer, since a failure before it shall have a status of its own.
        """
        checks = self._checks(asked, is_azure=is_azure)
        judged = await self._judge(asked, checks, documents)
        async with (
            self.models.lease(asked.model, ability) as engine,
            Closing(begin(engine)) as events,
            Closing(events if checks is None else checks.watch(events)) as watched,
        ):
            async for event in watched:
                if judged is not None and not isinstance(event, Serving):
                    yield cast("Event", judged)
                    judged = None
                if checks is not None:
                    self._count(asked, event)
                yield event

    def _checks(self, asked: Asked, *, is_azure: bool) -> Checks | None:
        return self.content_filter.checks(self.models.find(asked.model), is_azure=is_azure)

    async def _judge(self, asked: Asked, checks: Checks | None, documents: Sequence[str] = ()) -> PromptJudged | None:
        if checks is None:
            return None
        try:
            return await checks.judge(asked, documents)
        except PromptFiltered as error:
            self._blocked(asked, "prompt", error.results)
            raise

    def _count(self, asked: Asked, event: ChatEvent | CompletionEvent) -> None:
        if isinstance(event, (ChatDelta, CompletionDelta)):
            results = event.judged
        elif isinstance(event, LateJudgement):
            results = event.results
        else:
            return
        if event.finish_reason == "content_filter":
            self._blocked(asked, "completion", results or {})

    def _blocked(self, asked: Asked, side: str, results: Mapping[str, Any]) -> None:
        """Count what was blocked; where results are not told, or an engine has blocked, the category is not known."""
        if self.meter is not None:
            deployment = self.models.find(asked.model).name
            for category in filtered_kinds(results) or ["unknown"]:
                self.meter.filtered(deployment, side, category)

    async def chunks(
        self,
        asked: Asked,
        ability: type[Ability],
        begin: Callable[[Ability], AsyncIterator[Event]],
        *,
        stamper: Stamper[Event],
        call: Call,
        documents: Sequence[str] = (),
    ) -> AsyncGenerator[Chunk]:
        """The chunks of an answer as they come; what they cost is reported however the stream ends."""
        try:
            told = self.events(asked, ability, begin, is_azure=call.is_azure, documents=documents)
            async with aclosing(told) as events:
                async for event in events:
                    if isinstance(event, PromptJudged):
                        call.response_headers.append(RAI_INVOKED)
                    for chunk in stamper.stamp(event):
                        yield chunk
            for chunk in stamper.finish():
                yield chunk
        finally:
            stamper.tally.spend(call, asked)


async def spelled(
    chunks: AsyncGenerator[Chunk], dump: Callable[[Chunk], bytes] = orjson.dumps
) -> AsyncGenerator[bytes]:
    """The chunks as server-sent events, with the end that clients wait for."""
    async with aclosing(chunks):
        async for chunk in chunks:
            yield data(dump(chunk))
    yield DONE


async def folded(chunks: AsyncGenerator[Chunk], fold: Fold) -> Chunk:
    """The chunks as the one answer they spell out."""
    async with aclosing(chunks):
        async for chunk in chunks:
            fold.add(chunk)
    return fold.answer()
