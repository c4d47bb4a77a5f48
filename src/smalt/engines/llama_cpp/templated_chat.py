"""Answers a chat request through llama.cpp's own chat endpoint, which reads forms of calls and thoughts we do not."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from smalt.core.errors import UnsupportedParameter
from smalt.engines.llama_cpp.chat import ALWAYS, Worker, check_schemas, rendered
from smalt.engines.llama_cpp.chat_plan import ChatPlan
from smalt.engines.llama_cpp.failures import WorkerLost
from smalt.engines.llama_cpp.logprobs import entries
from smalt.engines.llama_cpp.room import check_room
from smalt.engines.llama_cpp.sampling import seeded
from smalt.engines.protocols import ChatDelta, FinishReason, TokenLogprob, ToolCallDelta, Usage

Json = dict[str, Any]

REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length", "tool_calls": "tool_calls"}


async def answer(worker: Worker, plan: ChatPlan) -> AsyncGenerator[ChatDelta | Usage]:
    """Stream the choices' deltas and then the usage; choices are made in groups that fit the worker's slots."""
    if plan.has_logprobs and plan.tools.tools:
        raise UnsupportedParameter("logprobs", "It does not go with tools.")
    await check_schemas(worker, plan)
    if plan.max_tokens is not None:
        prompt = await rendered(worker, plan)
        await check_room(worker.server, worker.facts, prompt, max_tokens=plan.max_tokens, param="messages")
    spent = _Spent(plan)
    size = max(1, worker.facts.slots // 2)
    for first in range(0, plan.choices, size):
        fields = _fields(plan, first, min(size, plan.choices - first))
        async with aclosing(worker.server.stream("/v1/chat/completions", fields)) as events:
            async for event in events:
                for delta in spent.deltas(event, first):
                    yield delta
    if spent.finished != plan.choices:
        raise WorkerLost("The model's worker ended in the middle of its answer; it is started again when needed.")
    yield spent.usage()


def _fields(plan: ChatPlan, first: int, count: int) -> Json:
    fields: Json = {
        **plan.template,
        **seeded(plan.fields, plan.seed, first),
        "n": count,
        **ALWAYS,
        "stream_options": {"include_usage": True},
        "timings_per_token": True,
        "reasoning_format": "deepseek",
    }
    if plan.max_tokens is not None:
        fields["max_tokens"] = plan.max_tokens
    if plan.stops:
        fields["stop"] = plan.stops
    if plan.schema is not None:
        fields["response_format"] = {"type": "json_schema", "json_schema": {"schema": dict(plan.schema.schema)}}
    if plan.top_logprobs is not None:
        fields.update(logprobs=True, top_logprobs=max(1, plan.top_logprobs))
    return fields


class _Spent:
    """Reads the endpoint's chunks, and counts what they cost."""

    def __init__(self, plan: ChatPlan) -> None:
        self._plan = plan
        self._prompt_tokens = self._cached_tokens = self._completion_tokens = 0
        self._reasoning_tokens: dict[int, int] = {}
        self._answering: set[int] = set()
        self.finished = 0
        """Choices that are complete."""

    def deltas(self, chunk: Json, first: int) -> list[ChatDelta]:
        """The deltas that a chunk makes."""
        if usage := chunk.get("usage"):
            self._count(usage)
        return [
            delta
            for choice in chunk["choices"]
            if (delta := self._delta(choice, first + choice["index"], chunk.get("timings"))) is not None
        ]

    def usage(self) -> Usage:
        """The tokens of the prompt, once, and of all choices."""
        return Usage(
            self._prompt_tokens,
            self._completion_tokens,
            cached_tokens=self._cached_tokens,
            reasoning_tokens=sum(self._reasoning_tokens.values()),
        )

    def _count(self, usage: Json) -> None:
        """The usage of one choice: the endpoint sends one for each."""
        if not self._prompt_tokens:
            self._prompt_tokens = usage["prompt_tokens"]
            self._cached_tokens = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
        self._completion_tokens += usage["completion_tokens"]

    def _delta(self, choice: Json, index: int, timings: Json | None) -> ChatDelta | None:
        said: Json = choice["delta"]
        thought, content, calls = said.get("reasoning_content"), said.get("content"), said.get("tool_calls")
        if content or calls:
            self._answering.add(index)
        if timings and thought and index not in self._answering:
            self._reasoning_tokens[index] = timings["predicted_n"]
        reason = choice.get("finish_reason")
        if reason is not None:
            self.finished += 1
        if not (thought or content or calls or reason):
            return None
        return ChatDelta(
            index,
            content or None,
            thought or None,
            tool_calls=tuple(_call(call) for call in calls or ()),
            logprobs=self._entries(choice) if content else None,
            finish_reason=reason and REASONS.get(reason, "stop"),
        )

    def _entries(self, choice: Json) -> tuple[TokenLogprob, ...] | None:
        if self._plan.top_logprobs is None:
            return None
        listed: Json = choice.get("logprobs") or {}
        return tuple(entries(listed.get("content") or (), self._plan.top_logprobs))


def _call(call: Json) -> ToolCallDelta:
    function: Json = call.get("function", {})
    return ToolCallDelta(
        call["index"], function.get("arguments") or "", id=call.get("id") or None, name=function.get("name") or None
    )
