"""The engine that asks another server: any that speaks OpenAI's API."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Generic, TypeVar

import orjson

from smalt.core.errors import UpstreamFailed
from smalt.engines.protocols import (
    ChatDelta,
    ChatEvent,
    CompletionDelta,
    CompletionEvent,
    Deployment,
    Embeddings,
    Engine,
    Serving,
    Usage,
)
from smalt.engines.upstream import events
from smalt.engines.upstream.connection import Connection
from smalt.engines.upstream.failures import stream_failure
from smalt.engines.upstream.options import read_options
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

Delta = TypeVar("Delta", ChatDelta, CompletionDelta)
Json = dict[str, Any]

KEPT_HERE: set[str] = {"model", "store", "metadata", "user_security_context", "data_sources"}
"""Fields that this server honours itself and does not send on; the model has another name there."""


class UpstreamEngine(Engine):
    """Answers with an OpenAI-compatible server; what a request has and we do not know is passed on."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._options = read_options(deployment)
        self._connection = Connection(deployment.name, self._options)

    def chat(self, body: AzureCreateChatCompletionRequest) -> AsyncIterator[ChatEvent]:
        """Stream the upstream's answer; a request for a whole answer asks for a whole one there too."""
        return self._events("/chat/completions", body, Reading(events.chat_deltas))

    def complete(self, body: CreateCompletionRequest) -> AsyncIterator[CompletionEvent]:
        """Stream the upstream's continuation, as `chat` does."""
        return self._events("/completions", body, Reading(events.completion_deltas))

    async def embed(self, inputs: Sequence[str | Sequence[int]], dimensions: int | None = None) -> Embeddings:
        """Ask for base64, which is smaller and quicker to read; take numbers where that is all there is."""
        body: Json = {"model": self.deployment.model, "input": inputs, "encoding_format": "base64"}
        if dimensions is not None:
            body["dimensions"] = dimensions
        answer = await self._connection.json("/embeddings", orjson.dumps(body))
        return events.embeddings(answer, len(inputs))

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def _events(
        self,
        path: str,
        body: AzureCreateChatCompletionRequest | CreateCompletionRequest,
        reading: "Reading[Delta]",
    ) -> AsyncGenerator[Serving | Delta | Usage]:
        """The events in the chunks of a streamed answer, or in the one whole answer."""
        sent = self._sent(body)
        if body.stream:
            async with aclosing(self._connection.events(path, sent)) as chunks:
                async for chunk in chunks:
                    for event in reading.events(self._read(chunk)):
                        yield event
        else:
            for event in reading.events(await self._connection.json(path, sent)):
                yield event
        for event in reading.last():
            yield event

    def _sent(self, body: AzureCreateChatCompletionRequest | CreateCompletionRequest) -> bytes:
        """The request as the upstream gets it."""
        sent = body.model_dump(exclude_unset=True, by_alias=True, exclude=KEPT_HERE, warnings=False)
        sent["model"] = self.deployment.model
        if body.stream and self._options.stream_usage:
            sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
        return orjson.dumps(sent)

    def _read(self, chunk: bytes) -> Json:
        try:
            answer = orjson.loads(chunk)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise UpstreamFailed("The upstream sent an event that is not a JSON object.", code="upstream_failed")
        if answer.get("error"):  # pyright: ignore[reportUnknownMemberType] - any JSON object
            raise stream_failure(answer["error"], self._connection.secrets)
        return answer  # pyright: ignore[reportUnknownVariableType]


class Reading(Generic[Delta]):
    """Reads one answer: what answers as soon as it is known, then the deltas, then the usage, once and last."""

    def __init__(self, deltas: Callable[[Json], Iterable[Delta]]) -> None:
        self._deltas = deltas
        self._is_told = False
        self._usage: Usage | None = None
        self._begun = set[int]()
        self._finished = set[int]()

    def events(self, answer: Json) -> list[Serving | Delta]:
        """The events in one chunk, or in a whole answer."""
        found: list[Serving | Delta] = []
        if not self._is_told and (serving := events.serving(answer)):
            self._is_told = True
            found.append(serving)
        self._usage = events.usage(answer) or self._usage
        for delta in self._understood(answer):
            (self._begun if delta.finish_reason is None else self._finished).add(delta.choice)
            found.append(delta)
        return found

    def last(self) -> list[Usage]:
        """What there is to say after the last chunk; raises when a choice is still open."""
        if not self._finished or self._begun - self._finished:
            raise UpstreamFailed("The upstream's answer ended before it was complete.", code="upstream_failed")
        return [] if self._usage is None else [self._usage]

    def _understood(self, answer: Json) -> list[Delta]:
        try:
            return list(self._deltas(answer))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"The upstream's answer does not have the shape of OpenAI's ({type(error).__name__})."
            raise UpstreamFailed(message, code="upstream_failed") from None
