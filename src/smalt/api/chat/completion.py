"""Makes a chat completion's chunks, and keeps the completion where that is asked for."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from smalt.api.chat.audio_request import is_spoken, unspoken
from smalt.api.chat.chunks import ChunkStamper, ChunkStyle
from smalt.api.chat.files import PromptFiles, Seen
from smalt.api.chat.folding import ChatFold, without_sound
from smalt.api.chat.moderation import ChatModeration
from smalt.api.chat.on_your_data.grounding import GroundedAnswers, GroundedStamper
from smalt.api.chat.on_your_data.request import check_grounded
from smalt.api.chat.recalling import recalled
from smalt.api.chat.request import accepted
from smalt.api.chat.speaking import Speakers
from smalt.api.generation import Chunk, Generation
from smalt.api.moderating import Moderator
from smalt.engines.protocols import ChatEngine, Usage
from smalt.http.call import Call
from smalt.retrieval.data_sources import DataSources
from smalt.safety.content_filter import Delivery
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.store.stored_completions import StoredCompletions

KEPT_PARAMETERS = (
    "tool_choice",
    "tools",
    "response_format",
    "seed",
    "top_p",
    "temperature",
    "presence_penalty",
    "frequency_penalty",
)
"""What a stored completion says it was asked with."""


@dataclass(frozen=True, slots=True)
class ChatCompletions:
    """Answers chat requests, and keeps what is to be kept."""

    generation: Generation
    stored: StoredCompletions
    data_sources: DataSources
    speakers: Speakers
    moderator: Moderator
    files: PromptFiles

    def chunks(self, body: AzureCreateChatCompletionRequest, call: Call) -> AsyncGenerator[Chunk]:
        """The completion's chunks as they come; with `store`, it is kept before the stream ends."""
        call.has_data_sources = body.data_sources is not None
        asked = accepted(body)
        model = self.generation.models.find(body.model).model
        stamper = ChunkStamper(ChunkStyle.of(body, model=model, is_azure=call.is_azure))
        delivery: Delivery = "streamed" if body.stream else "spoken" if is_spoken(asked) else "whole"
        written = unspoken(asked).model_copy(update={"moderation": None})
        chunks = self._answered(written, stamper, call, delivery=delivery)
        if body.moderation is not None:
            chunks = ChatModeration(self.moderator, body.moderation).chunks(asked, chunks)
        if is_spoken(asked):
            chunks = self.speakers.speaker(asked, stamper.tally, call).chunks(chunks)
        return self._kept(chunks, stamper, body, call) if body.store else chunks

    async def _answered(
        self, asked: AzureCreateChatCompletionRequest, stamper: ChunkStamper, call: Call, *, delivery: Delivery
    ) -> AsyncGenerator[Chunk]:
        """The chunks of an answer to what was said, here or in an earlier answer."""

        def spend(model: str, usage: Usage) -> None:
            call.spend(
                model, prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens, user=asked.user
            )

        heard = await self.generation.heard(await recalled(asked, self.speakers.spoken, call.caller.project), spend)
        stamper.tally.heard_tokens = heard.audio_tokens
        seen = await self._seen(heard.body, call)
        async with aclosing(self._chunks(heard.body, seen, stamper, call, delivery=delivery)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _seen(self, asked: AzureCreateChatCompletionRequest, call: Call) -> Seen:
        """The request as the content filter sees it, where there is one."""
        if not self.generation.looks_at(asked, is_azure=call.is_azure):
            return Seen(asked)
        return await self.files.seen(asked, call.caller.project)

    def _chunks(
        self,
        asked: AzureCreateChatCompletionRequest,
        seen: Seen,
        stamper: ChunkStamper,
        call: Call,
        *,
        delivery: Delivery,
    ) -> AsyncGenerator[Chunk]:
        """The chunks of an answer, from documents when the request names a source of them."""
        if asked.data_sources is None:
            return self.generation.chunks(
                seen.body,
                ChatEngine,
                lambda engine: engine.chat(asked),
                stamper=stamper,
                call=call,
                delivery=delivery,
                documents=seen.documents,
            )
        check_grounded(asked, call)
        answers = GroundedAnswers(self.generation, self.data_sources)
        return answers.chunks(asked, GroundedStamper(stamper, asked), call, delivery=delivery)

    async def _kept(
        self,
        chunks: AsyncGenerator[Chunk],
        stamper: ChunkStamper,
        body: AzureCreateChatCompletionRequest,
        call: Call,
    ) -> AsyncGenerator[Chunk]:
        fold = ChatFold()
        async with aclosing(chunks):
            async for chunk in chunks:
                fold.add(chunk)
                yield chunk
        asked = body.model_dump(exclude_none=True)
        completion: dict[str, Any] = {
            **without_sound(fold.answer()),
            **{name: asked[name] for name in KEPT_PARAMETERS if name in asked},
            "usage": stamper.tally.usage_json(),
            "request_id": call.request_id,
            "input_user": body.user,
        }
        await self.stored.add(call.caller.project, completion, messages=asked["messages"], metadata=body.metadata)
