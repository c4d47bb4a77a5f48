"""The engine that says back what it is told: the same answer every time, at once, without a model."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from itertools import zip_longest
from typing import TypeVar

from smalt.core.errors import ContextLengthExceeded, EngineFailed
from smalt.engines.audio import (
    Recording,
    SpeechAudio,
    SpeechEvent,
    TranscriptEvent,
    TranscriptSegment,
    Utterance,
)
from smalt.engines.echo import continuation, conversation, judging, listening, speaking, words
from smalt.engines.echo.options import read_options
from smalt.engines.echo.vectors import vectors
from smalt.engines.languages import english_name
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
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

Delta = TypeVar("Delta", ChatDelta, CompletionDelta, TranscriptSegment, SpeechAudio)

FINGERPRINT = "fp_ec40ec40ec"


class EchoEngine(Engine):
    """For tests, and for the CI of applications: everything the API can do, decided by the request alone."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._options = read_options(deployment)

    @property
    def context(self) -> int | None:
        """Most words of a prompt and its answer together, as the option says."""
        return self._options.context

    async def chat(self, body: AzureCreateChatCompletionRequest) -> AsyncGenerator[ChatEvent]:
        """Say the last message again; call a tool that must be called, or that `call NAME {…}` asks for."""
        conversation.refuse_unserved(body)
        prompt_tokens = words.count(conversation.prompt_texts(body))
        most = self._room(prompt_tokens, body.max_completion_tokens or body.max_tokens, param="messages")
        answer = conversation.answer(body, length=self._options.tokens)
        scripts = [answer.script(choice, body, most=most) for choice in range(body.n or 1)]
        yield Serving(self.deployment.model, FINGERPRINT)
        async for delta in self._told(scripts):
            yield delta
        yield answer.usage(prompt_tokens, scripts, body)

    async def complete(self, body: CreateCompletionRequest) -> AsyncGenerator[CompletionEvent]:
        """Say each prompt again."""
        continuation.refuse_unserved(body)
        prompts = continuation.prompts_of(body)
        prompt_tokens = words.count(prompts)
        most = self._room(prompt_tokens, continuation.max_tokens(body), param="prompt")
        scripts = continuation.scripts(prompts, body, most=most, length=self._options.tokens)
        yield Serving(self.deployment.model, FINGERPRINT)
        async for delta in self._told(scripts):
            yield delta
        yield Usage(prompt_tokens, continuation.count_new(scripts, prompts, body))

    async def text_of(self, tokens: Sequence[int]) -> str:
        """What is said again of token ids."""
        return continuation.text_of(tokens)

    async def embed(self, inputs: Sequence[str | Sequence[int]], dimensions: int | None = None) -> Embeddings:
        """Draw a vector for each input, seeded by what it says."""
        await self._at_once()
        return vectors(inputs, self._options.dimensions, dimensions, model=self.deployment.model)

    async def moderate(self, texts: Sequence[str]) -> Sequence[Scores]:
        """Score each text as the marks in it say: `[[moderate violence=0.9]]`."""
        await self._at_once()
        return [judging.text_scores(text) for text in texts]

    async def moderate_images(self, images: Sequence[bytes]) -> Sequence[Scores]:
        """Score each picture as the marks among its bytes say."""
        await self._at_once()
        return judging.picture_scores(images)

    async def transcribe(self, recording: Recording) -> AsyncGenerator[TranscriptEvent]:
        """Hear what an echo said; of another recording only the length counts, and silence."""
        heard = listening.heard(recording, length=self._options.tokens)
        yield Serving(self.deployment.model, FINGERPRINT)
        async for segment in self._told([heard.segments(recording)]):
            yield segment
        yield heard.end(recording, english_name(recording.language or "en"))

    async def speak(self, utterance: Utterance) -> AsyncGenerator[SpeechEvent]:
        """Say a text in tones, a word at a time; in formats that need a codec, keep silent for as long."""
        speech = speaking.speech(utterance)
        yield Serving(self.deployment.model, FINGERPRINT)
        async for piece in self._told([map(SpeechAudio, speech.pieces())]):
            yield piece
        yield speech.end

    async def _told(self, scripts: Sequence[Iterable[Delta]]) -> AsyncGenerator[Delta]:
        """Every choice in turn, a piece at a time, with the delays and the failure that the options ask for."""
        for position, pieces in enumerate(zip_longest(*scripts)):
            if position == self._options.fail_after:
                raise EngineFailed("The echo broke, as its option fail_after says.")
            if self._options.delay_seconds:
                await asyncio.sleep(self._options.delay_seconds)
            for piece in pieces:
                if piece is not None:
                    yield piece

    async def _at_once(self) -> None:
        """The delay and the failure of an answer that comes in one piece."""
        if self._options.delay_seconds:
            await asyncio.sleep(self._options.delay_seconds)
        if self._options.fail_after is not None:
            raise EngineFailed("The echo broke, as its option fail_after says.")

    def _room(self, prompt_tokens: int, asked: int | None, *, param: str) -> int | None:
        """The most tokens an answer may have; None when nothing limits it."""
        context = self._options.context
        if context is None:
            return asked
        if prompt_tokens >= context:
            raise ContextLengthExceeded(
                f"This model's maximum context length is {context} tokens. However, your {param} resulted in "
                f"{prompt_tokens} tokens. Please reduce the length of the {param}.",
                param=param,
            )
        return min(context - prompt_tokens, context if asked is None else asked)
