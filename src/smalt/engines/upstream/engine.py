"""The engine that asks another server: any that speaks OpenAI's API."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Generic, TypeVar

import orjson

from smalt.core.errors import InvalidRequest, UpstreamFailed
from smalt.engines.audio import Recording, SpeechAudio, SpeechEnd, SpeechEvent, TranscriptEvent, Utterance
from smalt.engines.protocols import (
    ChatDelta,
    ChatEvent,
    CompletionDelta,
    CompletionEvent,
    Deployment,
    Embeddings,
    Engine,
    Scores,
    Serving,
    Usage,
)
from smalt.engines.upstream import events, moderations, speech
from smalt.engines.upstream.connection import Connection
from smalt.engines.upstream.failures import stream_failure
from smalt.engines.upstream.forms import form
from smalt.engines.upstream.options import read_options
from smalt.engines.upstream.transcripts import TranscriptReading, fields
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

    @property
    def hears(self) -> bool:
        """Whether the upstream's chat model takes recordings, as the option says."""
        return self._options.hears

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

    async def moderate(self, texts: Sequence[str]) -> Sequence[Scores]:
        """Ask about all texts at once, leaving out those that say nothing."""
        said = [text for text in texts if text.strip()]
        judged = moderations.scores(await self._moderation(said), len(said), "text") if said else []
        return moderations.with_empty_texts(texts, judged)

    async def moderate_images(self, images: Sequence[bytes]) -> Sequence[Scores]:
        """Ask about each picture by itself."""
        inputs = [moderations.picture_input(content, number) for number, content in enumerate(images, 1)]
        return [moderations.scores(await self._moderation(one), 1, "image")[0] for one in inputs]

    async def transcribe(self, recording: Recording) -> AsyncGenerator[TranscriptEvent]:
        """Send the recording on; models that only give text refuse to give times, and are not asked twice."""
        is_translated = recording.task == "translate"
        path = "/audio/translations" if is_translated else "/audio/transcriptions"
        sent, content_type = form(fields(recording, self.deployment.model), recording.content, recording.filename)
        reading = TranscriptReading(recording)
        answers = self._connection.events(path, sent, content_type=content_type, or_whole=True)
        async with aclosing(answers):
            async for answer in answers:
                for segment in reading.segments(self._read(answer)):
                    yield segment
        yield reading.end()

    async def speak(self, utterance: Utterance) -> AsyncGenerator[SpeechEvent]:
        """Pass the upstream's sound on as it comes."""
        as_events = self._options.speech_events
        sent = orjson.dumps(speech.request(utterance, self.deployment.model, as_events=as_events))
        spoken = self._spoken_events(sent) if as_events else self._spoken_file(sent, utterance)
        async with aclosing(spoken):
            async for event in spoken:
                yield event

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def _moderation(self, asked: Sequence[Any]) -> Json:
        try:
            body = orjson.dumps({"model": self.deployment.model, "input": asked})
        except orjson.JSONEncodeError as error:
            raise InvalidRequest(f"'input' holds text that is not valid Unicode: {error}.", param="input") from error
        return await self._connection.json("/moderations", body)

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

    async def _spoken_events(self, sent: bytes) -> AsyncGenerator[SpeechEvent]:
        is_done = False
        async with aclosing(self._connection.events("/audio/speech", sent)) as chunks:
            async for chunk in chunks:
                event = speech.spoken(self._read(chunk))
                is_done = is_done or isinstance(event, SpeechEnd)
                if event is not None:
                    yield event
        if not is_done:
            raise UpstreamFailed("The upstream's speech ended before it was complete.", code="upstream_failed")

    async def _spoken_file(self, sent: bytes, utterance: Utterance) -> AsyncGenerator[SpeechEvent]:
        async with aclosing(self._connection.content("/audio/speech", sent)) as chunks:
            async for chunk in chunks:
                yield SpeechAudio(chunk)
        yield speech.estimated_end(utterance)

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
