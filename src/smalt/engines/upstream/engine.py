"""The engine that asks another server: any that speaks OpenAI's API."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

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
        return _events(self._answers("/chat/completions", body), events.chat_deltas)

    def complete(self, body: CreateCompletionRequest) -> AsyncIterator[CompletionEvent]:
        """Stream the upstream's continuation, as `chat` does."""
        return _events(self._answers("/completions", body), events.completion_deltas)

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

    async def _answers(
        self, path: str, body: AzureCreateChatCompletionRequest | CreateCompletionRequest
    ) -> AsyncGenerator[Json]:
        """The chunks of a streamed answer, or the one whole answer."""
        sent = body.model_dump(exclude_unset=True, by_alias=True, exclude=KEPT_HERE, warnings=False)
        sent["model"] = self.deployment.model
        if not body.stream:
            yield await self._connection.json(path, orjson.dumps(sent))
            return
        if self._options.stream_usage:
            sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
        async with aclosing(self._connection.events(path, orjson.dumps(sent))) as chunks:
            async for chunk in chunks:
                yield self._read(chunk)

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


async def _events(
    answers: AsyncGenerator[Json], deltas: Callable[[Json], Iterable[Delta]]
) -> AsyncGenerator[Serving | Delta | Usage]:
    """Say what answers as soon as it is known, then the deltas, then the usage, once and last."""
    told = False
    used: Usage | None = None
    begun, finished = set[int](), set[int]()
    async with aclosing(answers):
        async for answer in answers:
            if not told and (serving := events.serving(answer)):
                told = True
                yield serving
            used = events.usage(answer) or used
            for delta in _understood(answer, deltas):
                (begun if delta.finish_reason is None else finished).add(delta.choice)
                yield delta
    if not finished or begun - finished:
        raise UpstreamFailed("The upstream's answer ended before it was complete.", code="upstream_failed")
    if used is not None:
        yield used


def _understood(answer: Json, deltas: Callable[[Json], Iterable[Delta]]) -> list[Delta]:
    try:
        return list(deltas(answer))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"The upstream's answer does not have the shape of OpenAI's ({type(error).__name__})."
        raise UpstreamFailed(message, code="upstream_failed") from None
