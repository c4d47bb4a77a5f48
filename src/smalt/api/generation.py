"""How chat and text completions are generated: from a leased engine's events to chunks, and from chunks to bytes."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import orjson

from smalt.api.accounting import Asked, Tally
from smalt.api.closing import Closing
from smalt.api.hearing import Ears, Heard
from smalt.engines.protocols import ChatEvent, CompletionEvent
from smalt.http.call import Call
from smalt.http.event_stream import DONE, data
from smalt.models import Models
from smalt.safety.content_filter import ContentFilter
from smalt.schemas.chat import AzureCreateChatCompletionRequest

Chunk = dict[str, Any]
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


@dataclass(frozen=True, slots=True)
class Generation:
    """Generates with the models there are, past the content filter."""

    models: Models
    content_filter: ContentFilter
    ears: Ears | None = None
    """What hears recordings; without it they are left to the chat model."""

    async def heard(self, body: AzureCreateChatCompletionRequest) -> Heard:
        """The conversation as its model can take it."""
        return Heard(body) if self.ears is None else await self.ears.hear(body)

    async def events(
        self, asked: Asked, ability: type[Ability], begin: Callable[[Ability], AsyncIterator[Event]]
    ) -> AsyncGenerator[Event]:
        """What an engine says to a request, as it comes."""
        await self.content_filter.check_prompt(asked)
        async with (
            self.models.lease(asked.model, ability) as engine,
            Closing(begin(engine)) as events,
            Closing(self.content_filter.watch(events)) as watched,
        ):
            async for event in watched:
                yield event

    async def chunks(
        self,
        asked: Asked,
        ability: type[Ability],
        begin: Callable[[Ability], AsyncIterator[Event]],
        *,
        stamper: Stamper[Event],
        call: Call,
    ) -> AsyncGenerator[Chunk]:
        """The chunks of an answer as they come; what they cost is reported however the stream ends."""
        try:
            async with aclosing(self.events(asked, ability, begin)) as events:
                async for event in events:
                    for chunk in stamper.stamp(event):
                        yield chunk
            for chunk in stamper.finish():
                yield chunk
        finally:
            stamper.tally.spend(call, asked)


async def spelled(chunks: AsyncGenerator[Chunk]) -> AsyncGenerator[bytes]:
    """The chunks as server-sent events, with the end that clients wait for."""
    async with aclosing(chunks):
        async for chunk in chunks:
            yield data(orjson.dumps(chunk))
    yield DONE


async def folded(chunks: AsyncGenerator[Chunk], fold: Fold) -> Chunk:
    """The chunks as the one answer they spell out."""
    async with aclosing(chunks):
        async for chunk in chunks:
            fold.add(chunk)
    return fold.answer()
