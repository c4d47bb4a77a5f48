"""Answers a chat request with the tokens that llama.cpp draws: we render the prompt and read the answer ourselves."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smalt.core.errors import ApiError, EngineFailed, InvalidRequest
from smalt.engines.llama_cpp import thinking
from smalt.engines.llama_cpp.chat_choice import ChatChoice
from smalt.engines.llama_cpp.chat_plan import ChatPlan
from smalt.engines.llama_cpp.facts import ModelFacts
from smalt.engines.llama_cpp.failures import WorkerLost
from smalt.engines.llama_cpp.held import SchemaCheck
from smalt.engines.llama_cpp.room import check_room
from smalt.engines.llama_cpp.sampling import seeded
from smalt.engines.protocols import ChatDelta, Usage

if TYPE_CHECKING:
    from smalt.engines.llama_cpp.server import LlamaServer

Json = dict[str, Any]

ALWAYS: Json = {"stream": True, "cache_prompt": True, "return_progress": True}
"""What every request for tokens says. Progress is also how the server notices early that a client has left."""


@dataclass(frozen=True)
class Worker:
    """A worker as those who answer requests see it."""

    server: "LlamaServer"
    facts: ModelFacts
    check: SchemaCheck


async def answer(worker: Worker, plan: ChatPlan) -> AsyncGenerator[ChatDelta | Usage]:
    """Stream the choices' deltas and then the usage; choices are made in groups that fit the worker's slots."""
    await check_schemas(worker, plan)
    prompt = await rendered(worker, plan)
    await check_room(worker.server, worker.facts, prompt, max_tokens=plan.max_tokens, param="messages")
    is_thinking = prompt.rstrip().endswith(thinking.OPENING)
    choices = [ChatChoice(index, plan, is_thinking=is_thinking) for index in range(plan.choices)]
    counts = Counts()
    for group in groups(choices, worker.facts.slots):
        fields = request_fields(plan, prompt, group)
        async with aclosing(worker.server.stream("/completion", fields)) as events:
            async for event in events:
                counts.see(event)
                index: int = event["index"]
                choice = group[index]
                if not choice.is_over and (delta := choice.take(event)) is not None:
                    yield delta
                    if delta.finish_reason is not None and all(other.is_over for other in group):
                        break
        require_end(group)
    yield Usage(
        counts.prompt_tokens,
        sum(choice.completion_tokens for choice in choices),
        cached_tokens=counts.cached_tokens,
        reasoning_tokens=sum(choice.reasoning_tokens for choice in choices),
    )


class Counts:
    """The tokens of a prompt, as the first events that tell them do."""

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.cached_tokens = 0

    def see(self, event: Json) -> None:
        """Take in an event."""
        if not self.prompt_tokens:
            self.prompt_tokens = event["tokens_evaluated"]
        if not self.cached_tokens and (progress := event.get("prompt_progress")) is not None:
            self.cached_tokens = progress["cache"]


async def check_schemas(worker: Worker, plan: ChatPlan) -> None:
    """Raise when the answer, or the calls in it, cannot be held to their schemas."""
    if plan.tools.tools and not plan.is_left_to_template:
        await worker.check.tools(plan.tools.tools)
    if plan.schema is not None:
        await worker.check.answer(plan.schema.schema, plan.schema.name, lenient=plan.schema.is_lenient)


async def rendered(worker: Worker, plan: ChatPlan) -> str:
    """The prompt: the conversation in the form that the model's template gives it."""
    try:
        prompt: str = (await worker.server.ask("/apply-template", plan.template))["prompt"]
    except WorkerLost:
        raise
    except (EngineFailed, InvalidRequest) as error:
        raise _template_refused(error) from None
    if prompt.rstrip().endswith(thinking.OPENING):
        prompt = prompt.rstrip() + ("\n" if plan.thinks else f"\n{thinking.CLOSING}\n\n")
    return prompt + plan.prefix


def request_fields(plan: ChatPlan, prompt: str, group: list[ChatChoice]) -> Json:
    """What the server is asked for a group of choices."""
    fields: Json = {
        **seeded(plan.fields, plan.seed, group[0].index),
        "prompt": prompt,
        "n_predict": -1 if plan.max_tokens is None else plan.max_tokens,
        "n": len(group),
        **ALWAYS,
    }
    if plan.grammar is not None:
        fields["grammar"] = plan.grammar
    if plan.top_logprobs is not None:
        fields["n_probs"] = max(1, plan.top_logprobs)
    if plan.stops and not plan.is_read_here:
        fields["stop"] = plan.stops
    return fields


def groups(choices: list[ChatChoice], slots: int) -> list[list[ChatChoice]]:
    """The choices in groups of at most half the slots: one group waits until it has its slots all at once."""
    size = max(1, slots // 2)
    return [choices[start : start + size] for start in range(0, len(choices), size)]


def require_end(group: list[ChatChoice]) -> None:
    """A stream that ended before its choices did broke off."""
    if not all(choice.is_over for choice in group):
        raise WorkerLost("The model's worker ended in the middle of its answer; it is started again when needed.")


def _template_refused(error: ApiError) -> InvalidRequest:
    return InvalidRequest(f"The model's chat template does not take these messages: {error.message}", param="messages")
