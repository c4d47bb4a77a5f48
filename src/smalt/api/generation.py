"""How chat and text completions are generated: from a leased engine's events to chunks, and from chunks to bytes."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, cast

import orjson

from smalt.api.accounting import Asked, Tally
from smalt.api.closing import Closing
from smalt.api.hearing import Ears, Heard, Spend
from smalt.api.judged_streams import EngineStream, Verdict
from smalt.api.token_prompts import spelled_out
from smalt.engines.protocols import (
    ChatDelta,
    ChatEvent,
    CompletionDelta,
    CompletionEvent,
    LateJudgement,
    PromptJudged,
    Serving,
    Usage,
)
from smalt.http.call import Call
from smalt.http.event_stream import DONE, data
from smalt.models import Models
from smalt.safety.content_filter import Checks, ContentFilter, Delivery, PromptFiltered
from smalt.safety.results import filtered_kinds, is_filtered
from smalt.schemas.chat import AzureCreateChatCompletionRequest

Chunk = dict[str, Any]
NAMELESS: Final[Chunk] = {"id": "", "object": "", "created": 0, "model": ""}
"""The head of chunks that hold only what the content filter says; the service writes no more into it."""
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

    async def heard(self, body: AzureCreateChatCompletionRequest, spend: Spend) -> Heard:
        """The conversation as its model can take it."""
        return Heard(body) if self.ears is None else await self.ears.hear(body, spend)

    def looks_at(self, asked: Asked, *, is_azure: bool) -> bool:
        """Whether the content filter has anything to look for in a request and its answer."""
        return self._checks(asked, is_azure=is_azure) is not None

    async def judge(self, asked: Asked, *, is_azure: bool, documents: Sequence[str] = ()) -> PromptJudged | None:
        """What the content filter finds in a request; raises `PromptFiltered` when it must not be answered."""
        return await self._judge(asked, self._checks(asked, is_azure=is_azure), documents)

    async def may_leave(self, asked: Asked, texts: Sequence[str], *, is_azure: bool) -> bool:
        """Whether texts that a model has written beside its answer may be seen; counts them when they may not."""
        checks = self._checks(asked, is_azure=is_azure)
        if checks is None:
            return True
        found = await checks.look(texts)
        if is_filtered(found):
            self._blocked(asked, "completion", found)
            return False
        return True

    async def events(
        self,
        asked: Asked,
        ability: type[Ability],
        begin: Callable[[Ability], AsyncIterator[Event]],
        *,
        delivery: Delivery,
        is_azure: bool = False,
        documents: Sequence[str] = (),
    ) -> AsyncGenerator[Event]:
        """What an engine says to a request, as it comes, after what the filter says of the prompt.

        `documents` are shown to the model beside the conversation.
        """
        checks = self._checks(asked, is_azure=is_azure, delivery=delivery)
        if checks is None:
            async with self.models.lease(asked.model, ability) as engine, Closing(begin(engine)) as events:
                async for event in events:
                    yield event
            return
        # Before the verdict, whose model may find no room beside this one.
        shown = await spelled_out(self.models, asked)
        async with (
            Verdict(self._judge(shown, checks, documents)) as verdict,
            verdict.leased(lambda: self.models.lease(asked.model, ability)) as engine,
            aclosing(self._looked_at(asked, lambda: begin(engine), checks, verdict)) as told,
        ):
            async for event in told:
                yield event

    async def _looked_at(
        self,
        asked: Asked,
        begin: Callable[[], AsyncIterator[Event]],
        checks: Checks,
        verdict: Verdict,
    ) -> AsyncGenerator[Event]:
        """What an engine says under a policy.

        What is found in the prompt is told with the first piece of the answer, since a failure before it shall have a
        status of its own. An engine that is stopped, as nothing more of it would leave, cannot tell its usage.
        """
        # A model that runs here may read the prompt while it is judged; others are not even sent what is refused.
        is_here = bool(self.models.find(asked.model).weights)
        if not is_here:
            await verdict.get()
        tally = Tally(asked.model)
        is_blocked = False
        async with Closing(begin()) as events, EngineStream(events, tally, is_begun=is_here) as counted:
            judged = await verdict.get()
            async with Closing(checks.watch(counted)) as watched:
                async for event in watched:
                    if judged is not None and not isinstance(event, Serving):
                        yield cast("Event", judged)
                        judged = None
                    is_blocked = self._count(asked, event) or is_blocked
                    if not isinstance(event, Usage):
                        yield event
        used = tally.used(asked) if is_blocked else tally.usage
        if used is not None:
            yield cast("Event", used)

    def _checks(self, asked: Asked, *, is_azure: bool, delivery: Delivery = "whole") -> Checks | None:
        return self.content_filter.checks(self.models.find(asked.model), is_azure=is_azure, delivery=delivery)

    async def _judge(self, asked: Asked, checks: Checks | None, documents: Sequence[str] = ()) -> PromptJudged | None:
        if checks is None:
            return None
        try:
            return await checks.judge(asked, documents)
        except PromptFiltered as error:
            self._blocked(asked, "prompt", error.results)
            raise

    def _count(self, asked: Asked, event: ChatEvent | CompletionEvent) -> bool:
        """Count a choice that was blocked; says whether the event is the end of one."""
        if isinstance(event, (ChatDelta, CompletionDelta)):
            results = event.judged
        elif isinstance(event, LateJudgement):
            results = event.results
        else:
            return False
        if event.finish_reason != "content_filter":
            return False
        self._blocked(asked, "completion", results or {})
        return True

    def _blocked(self, asked: Asked, side: str, results: Mapping[str, Any]) -> None:
        """Count what was blocked; what an engine has blocked has no category that is known."""
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
        delivery: Delivery,
        documents: Sequence[str] = (),
    ) -> AsyncGenerator[Chunk]:
        """The chunks of an answer as they come; what they cost is reported however the stream ends."""
        told = self.events(asked, ability, begin, delivery=delivery, is_azure=call.is_azure, documents=documents)
        try:
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
