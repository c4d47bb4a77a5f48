"""Speaks the answers of chat models while they are written, with the speech model of the settings."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from smalt.api.accounting import SpeechTally, Tally
from smalt.api.chat.written import Line, Part, Written
from smalt.api.closing import Closing
from smalt.api.generation import Chunk
from smalt.core.errors import InvalidRequest, ModelNotFound, Unavailable, UnsupportedValue
from smalt.core.settings import AudioSettings
from smalt.engines.audio import AudioFormat, SpeechAudio, SpeechEngine, SpeechEvent, Utterance
from smalt.http.call import Call
from smalt.models import Models
from smalt.schemas.chat import AzureCreateChatCompletionRequest, ChatCompletionAudioOptions
from smalt.store.spoken_answers import SpokenAnswers

PARAMS = {"voice": "audio.voice", "response_format": "audio.format", "instructions": "audio", "input": "messages"}
OTHER_THAN_WORDS = ("tool_calls", "function_call", "reasoning_content", "refusal")


@dataclass(frozen=True, slots=True)
class Speakers:
    """Makes the speakers of answers."""

    models: Models
    settings: AudioSettings
    spoken: SpokenAnswers

    def speaker(self, body: AzureCreateChatCompletionRequest, tally: Tally, call: Call) -> "Speaker":
        """What speaks the answer to a request; raises when there is nothing to speak with."""
        try:
            self.models.find(self.settings.speech_model)
        except ModelNotFound as error:
            raise UnsupportedValue(
                "Unsupported value: 'modalities' does not support 'audio' with this model. It cannot speak, and there "
                f"is no '{self.settings.speech_model}' to speak for it: set audio.speech_model.",
                param="modalities",
            ) from error
        return Speaker(self, body, tally, call)


class Speaker:
    """Speaks one answer, all its choices."""

    def __init__(self, speakers: Speakers, body: AzureCreateChatCompletionRequest, tally: Tally, call: Call) -> None:
        self._speakers = speakers
        self._voice: str
        self._format: AudioFormat
        self._voice, self._format = _voice_and_format(body.audio)
        self._user = body.user
        self._tally = tally
        self._call = call
        self._written = Written(is_in_pieces=bool(body.stream) or self._format == "pcm")
        self._stack = AsyncExitStack()
        self._engine: SpeechEngine | None = None
        self._model = speakers.models.find(speakers.settings.speech_model).model
        self._input_tokens = 0

    async def chunks(self, answer: AsyncGenerator[Chunk]) -> AsyncGenerator[Chunk]:
        """The chunks of a written answer with its sound; the first wait until it is sure that it can be spoken."""
        held: list[Chunk] = []
        is_sure = False
        async with aclosing(self._spoken(answer)) as chunks:
            async for chunk in chunks:
                held.append(chunk)
                is_sure = is_sure or _is_sure(chunk)
                if is_sure:
                    for one in held:
                        yield one
                    held.clear()

    async def _spoken(self, answer: AsyncGenerator[Chunk]) -> AsyncGenerator[Chunk]:
        """What was read, and its sound sentence by sentence, in the order in which they come to be."""
        reading = self._written.begin(answer)
        try:
            async with self._stack, aclosing(self._written.lines(reading)) as lines:
                async for line in lines:
                    for chunk in self._written.drained():
                        yield chunk
                    if line is not None:
                        async with aclosing(self._sound(line, reading)) as chunks:
                            async for chunk in chunks:
                                yield chunk
        finally:
            reading.cancel()
            await asyncio.wait([reading])
            self._spend()
        if self._written.usage is not None:
            yield {**self._written.usage, "usage": self._tally.usage_json()}

    async def _sound(self, line: Line, reading: asyncio.Task[None]) -> AsyncGenerator[Chunk]:
        """The sound of a line, what is read meanwhile, and the end of a part that has no more lines."""
        if line.text:
            async with aclosing(self._spoken_line(line, reading)) as events:
                async for event in events:
                    for chunk in self._written.drained():
                        yield chunk
                    if isinstance(event, SpeechAudio):
                        line.part.sound += event.data
                    for chunk in self._data(line.part, is_last=False):
                        yield chunk
        if line.part.script.is_done:
            for chunk in await self._end(line.part):
                yield chunk

    async def _leased(self, reading: asyncio.Task[None]) -> SpeechEngine:
        """The speech engine; where there is no room for it beside the chat engine, after that has answered."""
        models, name = self._speakers.models, self._speakers.settings.speech_model
        is_chat_over = reading.done()
        try:
            return await self._stack.enter_async_context(models.lease(name, SpeechEngine))
        except Unavailable:
            if is_chat_over:
                raise
            await asyncio.wait([reading])
            reading.result()
            return await self._stack.enter_async_context(models.lease(name, SpeechEngine))

    async def _spoken_line(self, line: Line, reading: asyncio.Task[None]) -> AsyncGenerator[SpeechEvent]:
        """What the engine says of a line; what was spoken of it counts, to its end or to where it was given up."""
        self._engine = self._engine or await self._leased(reading)
        utterance = Utterance(line.text, self._voice, self._format)
        tally = SpeechTally(self._model, utterance)
        try:
            async with Closing(self._engine.speak(utterance)) as events:
                async for event in _refusing(events):
                    tally.see(event)
                    yield event
        finally:
            self._model = tally.model
            if used := tally.used():
                self._input_tokens += used.prompt_tokens
                self._tally.spoken_tokens += used.completion_tokens

    def _data(self, part: Part, *, is_last: bool) -> Generator[Chunk]:
        for block in part.blocks(is_last=is_last):
            yield self._written.sound_chunk(part, {"data": base64.b64encode(block).decode()})

    async def _end(self, part: Part) -> list[Chunk]:
        """The last chunks of a choice, after what it said is remembered."""
        chunks = list(self._data(part, is_last=True))
        if part.script.transcript:
            project = self._call.caller.project
            expires_at = await self._speakers.spoken.add(project, part.id, part.script.transcript)
            chunks.append(self._written.sound_chunk(part, {"expires_at": expires_at}))
        if part.last is not None:
            chunks.append(part.last)
            part.last = None
        return chunks

    def _spend(self) -> None:
        """Report the tokens of the speech model."""
        if self._input_tokens or self._tally.spoken_tokens:
            self._call.spend(
                self._model,
                prompt_tokens=self._input_tokens,
                completion_tokens=self._tally.spoken_tokens,
                user=self._user,
            )


def _is_sure(chunk: Chunk) -> bool:
    """Whether this comes only when nothing is left that could be refused."""
    for piece in chunk["choices"]:
        delta: Chunk = piece.get("delta", {})
        if piece["finish_reason"] or "data" in delta.get("audio", ()):
            return True
        if any(delta.get(name) for name in OTHER_THAN_WORDS):
            return True
    return False


def _voice_and_format(options: ChatCompletionAudioOptions | None) -> tuple[str, AudioFormat]:
    if options is None:
        raise InvalidRequest("Missing required parameter: 'audio'.", param="audio", code="missing_required_parameter")
    audio_format: AudioFormat = "pcm" if options.format == "pcm16" else options.format
    return options.voice if isinstance(options.voice, str) else options.voice.id, audio_format


async def _refusing(events: AsyncIterator[SpeechEvent]) -> AsyncGenerator[SpeechEvent]:
    """The events; what is refused is said of the field of a chat request that it came from."""
    try:
        async for event in events:
            yield event
    except InvalidRequest as error:
        param = PARAMS.get(error.param or "")
        if param is not None:
            error.message = error.message.replace(f"'{error.param}'", f"'{param}'")
        error.param = param
        raise
