"""Makes a chat completion's chunks, and keeps the completion where that is asked for."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from smalt.api.accounting import usage_json
from smalt.api.chat.chunks import ChunkStamper, ChunkStyle
from smalt.api.chat.folding import ChatFold
from smalt.api.chat.request import accepted
from smalt.api.generation import Chunk, Generation
from smalt.engines.protocols import ChatEngine
from smalt.http.call import Call
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

    def chunks(self, body: AzureCreateChatCompletionRequest, call: Call) -> AsyncGenerator[Chunk]:
        """The completion's chunks as they come; with `store`, it is kept before the stream ends."""
        asked = accepted(body)
        model = self.generation.models.find(body.model).model
        stamper = ChunkStamper(ChunkStyle.of(body, model=model, is_azure=call.is_azure))
        chunks = self.generation.chunks(
            asked, ChatEngine, lambda engine: engine.chat(asked), stamper=stamper, call=call
        )
        return self._kept(chunks, stamper, body, call) if body.store else chunks

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
            **fold.answer(),
            **{name: asked[name] for name in KEPT_PARAMETERS if name in asked},
            "usage": stamper.tally.usage and usage_json(stamper.tally.usage),
            "request_id": call.request_id,
            "input_user": body.user,
        }
        await self.stored.add(call.caller.project, completion, messages=asked["messages"], metadata=body.metadata)
