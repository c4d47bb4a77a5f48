"""Answers a chat over a data source: finds out what to search for, searches, and lets the model answer from it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast

from smalt.api.accounting import Tally
from smalt.api.chat.chunks import ChunkStamper
from smalt.api.chat.on_your_data.context import context_json
from smalt.api.chat.on_your_data.intent import Intent, find_intent, text_of
from smalt.api.chat.on_your_data.marks import Marks
from smalt.api.chat.on_your_data.prompt import NOT_FOUND, fitting, grounded, less_room, no_room, room_bytes
from smalt.api.chat.on_your_data.request import source_of
from smalt.api.generation import Chunk, Generation
from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import Bounded, ChatDelta, ChatEngine, ChatEvent, PromptJudged, Usage
from smalt.http.call import Call
from smalt.retrieval.data_sources import DataSources, Document, Retrieval
from smalt.safety.content_filter import Delivery
from smalt.schemas.chat import AzureCreateChatCompletionRequest, ChatCompletionRequestUserMessage

ATTEMPTS = 6
"""How often documents are cut shorter when a model says that they do not fit."""


class GroundedStamper:
    """Writes chunks as `ChunkStamper` does, with the context in the first and `end_turn` in all."""

    def __init__(self, stamper: ChunkStamper, body: AzureCreateChatCompletionRequest) -> None:
        self._stamper = stamper
        self.tally: Tally = stamper.tally
        self._contexts = source_of(body).parameters.include_contexts
        self._begun: set[int] = set()
        self.retrieval = Retrieval(())
        """What was found; known before the first event comes."""

    def stamp(self, event: ChatEvent) -> list[Chunk]:
        """The chunks that one event makes."""
        return [self._with_context(chunk) for chunk in self._stamper.stamp(event)]

    def finish(self) -> list[Chunk]:
        """The chunks after the last event."""
        return self._stamper.finish()

    def _with_context(self, chunk: Chunk) -> Chunk:
        for choice in chunk["choices"]:
            if "delta" not in choice:
                continue  # late results of the content filter
            choice["end_turn"] = choice["finish_reason"] is not None
            if choice["index"] not in self._begun:
                self._begun.add(choice["index"])
                choice["delta"] = {**choice["delta"], "context": context_json(self.retrieval, self._contexts)}
        return chunk


@dataclass(frozen=True, slots=True)
class GroundedAnswers:
    """Makes the chunks of answers that rest on documents."""

    generation: Generation
    data_sources: DataSources

    async def chunks(
        self, body: AzureCreateChatCompletionRequest, stamper: GroundedStamper, call: Call, *, delivery: Delivery
    ) -> AsyncGenerator[Chunk]:
        """The chunks of an answer as they come."""
        intent_usage: Usage | None = None
        is_passed_on = False
        try:
            # Documents are looked at with the conversation later; a model is asked what to search for before.
            judged = await self.generation.judge(body, is_azure=call.is_azure)
            source = source_of(body)
            intent = await find_intent(body, self.generation.models, most=source.parameters.max_search_queries)
            intent_usage = intent.usage
            searched = await self.data_sources.search(source, await self._queries(body, intent, call))
            if searched.embedding_model is not None:
                call.spend(searched.embedding_model, prompt_tokens=searched.embedding_tokens, user=body.user)
            stamper.retrieval = searched.retrieval
            is_passed_on = bool(searched.retrieval.shown) or source.parameters.in_scope is False
            if is_passed_on:
                answer = _Answer(body, stamper, intent_usage)
                documents = [_text(one.document) for one in searched.retrieval.shown]
                chunks = self.generation.chunks(
                    body,
                    ChatEngine,
                    answer.events,
                    stamper=stamper,
                    call=call,
                    delivery=delivery,
                    documents=documents,
                )
            else:
                chunks = _told(stamper, _nothing_found(body, intent_usage, judged))
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk
        finally:
            if not is_passed_on:
                stamper.tally.usage = stamper.tally.usage or intent_usage
                stamper.tally.spend(call, body)

    async def _queries(self, body: AzureCreateChatCompletionRequest, intent: Intent, call: Call) -> tuple[str, ...]:
        """What to search for, which the answer tells: the user's words where those of the model must not leave."""
        if intent.queries == intent.asked or await self.generation.may_leave(
            body, intent.queries, is_azure=call.is_azure
        ):
            return intent.queries
        return intent.asked


class _Answer:
    """One answer of a model from documents."""

    def __init__(
        self, body: AzureCreateChatCompletionRequest, stamper: GroundedStamper, intent_usage: Usage | None
    ) -> None:
        self._body = body
        self._stamper = stamper
        self._intent_usage = intent_usage
        self._marks: dict[int, Marks] = {}
        self._parameters = source_of(body).parameters

    async def events(self, engine: ChatEngine) -> AsyncGenerator[ChatEvent]:
        """The model's events, with true marks, and with the intent's tokens in the usage."""
        async with aclosing(self._fitted(engine)) as events:
            async for event in events:
                if isinstance(event, ChatDelta):
                    yield self._marked(event)
                elif isinstance(event, Usage):
                    yield _together(event, self._intent_usage)
                else:
                    yield event

    async def _fitted(self, engine: ChatEngine) -> AsyncGenerator[ChatEvent]:
        """The events over as many documents as the model can take; it alone counts its tokens truly."""
        documents = [one.document for one in self._stamper.retrieval.shown]
        room = room_bytes(self._body, engine.context if isinstance(engine, Bounded) else None)
        texts = fitting(documents, room)
        for attempt in range(ATTEMPTS):
            if documents and not texts:
                raise no_room()
            self._leave_out(len(texts))
            events = cast("AsyncGenerator[ChatEvent]", self._begin(engine, texts))
            has_begun = False
            try:
                async with aclosing(events):
                    async for event in events:
                        has_begun = has_begun or isinstance(event, ChatDelta)
                        yield event
            except InvalidRequest as error:
                room = None if has_begun or attempt == ATTEMPTS - 1 else less_room(texts, error)
                if room is None:
                    raise
                texts = fitting(documents, room)
            else:
                return

    def _begin(self, engine: ChatEngine, texts: list[str]) -> AsyncIterator[ChatEvent]:
        parameters = self._parameters
        in_scope = parameters.in_scope is not False
        asked = grounded(self._body, texts, in_scope=in_scope, role_information=parameters.role_information)
        return engine.chat(asked)

    def _leave_out(self, shown: int) -> None:
        """Documents that the model has no room for count as filtered: it cannot have used them."""
        for one in self._stamper.retrieval.shown[shown:]:
            one.filter_reason = "rerank"

    def _marked(self, delta: ChatDelta) -> ChatDelta:
        marks = self._marks.get(delta.choice)
        if marks is None:
            documents = [one.document for one in self._stamper.retrieval.shown]
            marks = self._marks[delta.choice] = Marks(documents, last_question(self._body))
        content = None if delta.content is None else marks.take(delta.content)
        if delta.finish_reason is not None:
            content = (content or "") + marks.finish()
        return replace(delta, content=content)


def last_question(body: AzureCreateChatCompletionRequest) -> str:
    """What the user said last, in words."""
    said = [text_of(message) for message in body.messages if isinstance(message, ChatCompletionRequestUserMessage)]
    return said[-1] if said else ""


async def _nothing_found(
    body: AzureCreateChatCompletionRequest, intent_usage: Usage | None, judged: PromptJudged | None
) -> AsyncGenerator[ChatEvent]:
    """The answer without documents to answer from: there is nothing for a model to add."""
    if judged is not None:
        yield judged
    for choice in range(body.n or 1):
        yield ChatDelta(choice, content=NOT_FOUND)
        yield ChatDelta(choice, finish_reason="stop")
    yield _together(Usage(0), intent_usage)


def _text(document: Document) -> str:
    """What of a document the model is shown."""
    return f"{document.title}\n\n{document.content}" if document.title else document.content


async def _told(stamper: GroundedStamper, events: AsyncGenerator[ChatEvent]) -> AsyncGenerator[Chunk]:
    async with aclosing(events):
        async for event in events:
            for chunk in stamper.stamp(event):
                yield chunk
    for chunk in stamper.finish():
        yield chunk


def _together(usage: Usage, other: Usage | None) -> Usage:
    """What both have used."""
    if other is None:
        return usage
    return replace(
        usage,
        prompt_tokens=usage.prompt_tokens + other.prompt_tokens,
        completion_tokens=usage.completion_tokens + other.completion_tokens,
        cached_tokens=usage.cached_tokens + other.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens + other.reasoning_tokens,
    )
