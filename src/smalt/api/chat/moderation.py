"""Honours a chat request's `moderation`: what a moderation model says of the conversation and of the answer."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from smalt.api.generation import Chunk
from smalt.api.moderating import ModerationBlocked, Moderator, flagged_categories
from smalt.schemas.chat import AzureCreateChatCompletionRequest, ChatCompletionRequestMessage, ModerationParam

SAID = ("reasoning_content", "content", "refusal")


class ChatModeration:
    """Moderates one completion. A side whose policy is `block` must be judged; of the other, a failure is told."""

    def __init__(self, moderator: Moderator, asked: ModerationParam) -> None:
        moderator.check(asked.model)
        self._moderator = moderator
        self._model = asked.model
        policy = asked.policy
        self._blocks_input = bool(policy and policy.input and policy.input.mode == "block")
        self._blocks_output = bool(policy and policy.output and policy.output.mode == "block")
        self._texts: list[str] = []
        self._input: Chunk | None = None
        self._said: dict[int, list[str]] = {}
        self._blocked: set[int] = set()

    async def chunks(
        self, body: AzureCreateChatCompletionRequest, answer: AsyncGenerator[Chunk]
    ) -> AsyncGenerator[Chunk]:
        """The chunks of an answer, and before their usage the one that tells what was found.

        Where flagged answers are blocked, all of them wait until they are judged.
        """
        async with aclosing(answer):
            await self._begin(body)
            held: list[Chunk] = []
            last: Chunk = {}
            async for chunk in answer:
                self._hear(chunk)
                if chunk["id"]:
                    last = chunk
                if self._blocks_output or _is_usage(chunk):
                    held.append(chunk)
                else:
                    yield chunk
            outcome = await self._outcome()
            for chunk in held:
                if not _is_usage(chunk) and (rest := self._rest(chunk)) is not None:
                    yield rest
            yield {**last, "choices": [], **({"usage": None} if "usage" in last else {}), "moderation": outcome}
            for chunk in held:
                if _is_usage(chunk):
                    yield chunk

    async def _begin(self, body: AzureCreateChatCompletionRequest) -> None:
        """Raise `ModerationBlocked` for a conversation that shall be refused."""
        self._texts = [text for message in body.messages if (text := _text(message))]
        if self._blocks_input:
            self._input = await self._judged(self._texts)
            if flagged_categories(self._input):
                raise ModerationBlocked(self._input, param="messages")

    def _hear(self, chunk: Chunk) -> None:
        for piece in chunk["choices"]:
            self._said.setdefault(piece["index"], []).extend(_pieces(piece.get("delta", {})))

    async def _outcome(self) -> Chunk:
        """The chunk's `moderation`: a result for every message, and one for every choice."""
        answers = ["".join(pieces) for _, pieces in sorted(self._said.items())]
        if self._blocks_output:
            output = await self._judged(answers)
            flags = [flagged_categories(result) for result in output["results"]]
            self._blocked = {choice for choice, flagged in zip(sorted(self._said), flags, strict=True) if flagged}
        else:
            output = await self._moderator.outcome(self._model, answers)
        return {"input": self._input or await self._moderator.outcome(self._model, self._texts), "output": output}

    async def _judged(self, texts: list[str]) -> Chunk:
        judgements = await self._moderator.judge(self._model, texts)
        results = [judgement.body() for judgement in judgements]
        return {"type": "moderation_results", "model": self._moderator.shown_name(self._model), "results": results}

    def _rest(self, chunk: Chunk) -> Chunk | None:
        """What a chunk still tells: of a blocked choice its beginning and its end."""
        if not any(piece["index"] in self._blocked for piece in chunk["choices"]):
            return chunk
        (piece,) = chunk["choices"]
        if piece["finish_reason"] is not None:
            return {**chunk, "choices": [{**piece, "finish_reason": "content_filter"}]}
        if "role" not in piece.get("delta", {}):
            return None
        return {**chunk, "choices": [{**piece, "delta": {"role": "assistant", "content": "", "refusal": None}}]}


def _is_usage(chunk: Chunk) -> bool:
    return not chunk["choices"] and chunk.get("usage") is not None


def _pieces(delta: Chunk) -> Iterator[str]:
    """Everything that a delta says, tool calls included."""
    yield from (delta[name] for name in SAID if delta.get(name))
    called = [call["function"] for call in delta.get("tool_calls") or ()]
    yield from (function["arguments"] for function in [*called, delta.get("function_call")] if function)


def _text(message: ChatCompletionRequestMessage) -> str:
    """What a message says in words."""
    content = message.content
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(text for part in content if isinstance(text := getattr(part, "text", None), str))
