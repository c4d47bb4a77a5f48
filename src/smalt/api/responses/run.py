"""Runs a response: turn by turn, until the model has said all, or the client must act."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace

from smalt.api.generation import Generation
from smalt.api.responses.filtering import FILTERED, ContentFilters, documents_of
from smalt.api.responses.messages import chat_request
from smalt.api.responses.parameters import renamed
from smalt.api.responses.plan import Json, Plan, TurnOptions
from smalt.api.responses.speech import Summary
from smalt.api.responses.toolset import offered
from smalt.api.responses.truncation import truncated
from smalt.api.responses.turns import Turn, TurnStyle, run_calls
from smalt.api.responses.writer import ResponseWriter, Sink
from smalt.core.errors import ApiError, EngineFailed, InvalidRequest, RateLimited
from smalt.core.settings import ResponseSettings
from smalt.engines.protocols import ChatEngine, ChatEvent, Usage
from smalt.safety.content_filter import PromptFiltered
from smalt.schemas.chat import AzureCreateChatCompletionRequest, ChatCompletionTool
from smalt.tools.conversation import earlier_sources
from smalt.tools.protocols import TOLD

logger = logging.getLogger("smalt.responses")

Spend = Callable[[str, Usage], None]
"""Hears which model answered and what all turns have used, and before that what was used to hear recordings."""

UNTOOLED = TurnOptions(is_first=True, offers_tools=False, max_output_tokens=None)
"""The turn whose conversation is what the client asked, and nothing else."""

SHORTENINGS = 6
"""How often a conversation is cut shorter when the model says that it does not fit."""


class Run:
    """One run of a response; `before` are the events of an earlier run that was killed, which this one goes on from.

    `run` may be cancelled at any time. What fails before the first event is raised, unless the response is in the
    background: there is nobody to raise it to.
    """

    def __init__(
        self,
        plan: Plan,
        generation: Generation,
        sink: Sink,
        spend: Spend,
        settings: ResponseSettings,
        *,
        before: Sequence[Json] = (),
    ) -> None:
        self._plan = plan
        self._generation = generation
        self._spend = spend
        self._settings = settings
        self._writer = ResponseWriter(plan.response, sink, before)
        self._filters = ContentFilters(self._writer.items)
        self._model = plan.request.model or ""
        self._used: Usage | None = None

    @property
    def response(self) -> Json:
        """The object as it is now."""
        return self._writer.response

    @property
    def has_started(self) -> bool:
        """Whether events have gone out."""
        return self._writer.has_started

    async def run(self) -> Json:
        """Make the response; returns the object at its end."""
        try:
            await self._make()
        except Exception as error:
            if not self._writer.has_started:
                raise
            self.fail(error)
        finally:
            await asyncio.gather(*(tool.close() for tool in self._plan.tools), return_exceptions=True)
            if self._used is not None:
                self._spend(self._model, self._used)
        return self.response

    def fail(self, error: Exception) -> None:
        """End the response with an error, if it has begun and has not ended."""
        if self.response["status"] not in {"queued", "in_progress"}:
            return
        if not isinstance(error, ApiError) or isinstance(error, EngineFailed):
            logger.error("response failed", exc_info=error, extra={"response": self._plan.id})
        told = error if isinstance(error, ApiError) else ApiError("The server failed. Its log tells more.")
        if isinstance(error, PromptFiltered):
            self._filters.refuse(error.results)
        self._writer.fail(
            code=told.code or told.type,
            message=told.message,
            param=told.param,
            told_as=_response_error_code(told),
            **self._filtered(),
        )

    async def _make(self) -> None:
        if self._plan.is_background or self._writer.has_started:
            self._writer.start()
            self._writer.interrupt()
        if self._plan.moderation is not None:
            await self._plan.moderation.begin(chat_request(self._plan, [], UNTOOLED))
        if _is_over(self._writer.items):
            await self._end(None)
            return
        await self._check()
        await self._prepare()
        await self._take_turns()

    async def _check(self) -> None:
        """Look at what is asked before any tool hears of it; without tools, the first turn does."""
        if self._plan.tools and not self._writer.items:
            asked = chat_request(self._plan, [], UNTOOLED)
            self._filters.begin(asked)
            await self._generation.judge(asked, is_azure=self._plan.is_azure, documents=self._files())

    async def _prepare(self) -> None:
        items = [*self._plan.context, *self._plan.input, *self._writer.items]
        for tool in self._plan.tools:
            await tool.prepare(self._writer, items)

    async def _take_turns(self) -> None:
        request = self._plan.request
        style = TurnStyle(
            offered(self._plan.client_functions, self._plan.tools),
            summary=self._summary(),
            calls_left=self._calls_left(),
            sources=earlier_sources([*self._plan.context, *self._plan.input, *self._writer.items]),
        )
        has_answered = any(item["type"] not in {"mcp_list_tools", "mcp_call"} for item in self._writer.items)
        for number in range(self._settings.turns):
            options = TurnOptions(
                is_first=number == 0 and not has_answered,
                offers_tools=number + 1 < self._settings.turns,
                max_output_tokens=self._tokens_left(),
            )
            turn = await self._looked_at_turn(style, options)
            if turn is None:
                return await self._end("content_filter")
            if turn.finish_reason in {"length", "content_filter"}:
                return await self._end("max_output_tokens" if turn.finish_reason == "length" else "content_filter")
            outcomes = await run_calls(turn.hosted_calls, at_once=request.parallel_tool_calls is not False)
            if not turn.has_calls or turn.has_client_calls or any(outcome.ends_run for outcome in outcomes):
                return await self._end(None)
            style.sources.extend(source for outcome in outcomes for source in outcome.sources)
            if self._tokens_left() == 0:
                return await self._end("max_output_tokens")
        return await self._end(None)

    async def _looked_at_turn(self, style: TurnStyle, options: TurnOptions) -> Turn | None:
        """A turn, or None when it must not be taken for what the tools have found."""
        try:
            return await self._turn(style, options)
        except PromptFiltered as error:
            if not self._writer.items:
                raise
            self._filters.refuse(error.results)
            return None

    async def _turn(self, style: TurnStyle, options: TurnOptions) -> Turn:
        """One answer of the model; with `truncation: auto`, over as much of the conversation as it can take."""
        asked = chat_request(self._plan, self._writer.items, options)
        asked = await self._heard(asked)
        if style.calls_left == 0:
            asked = _without_hosted(asked, self._plan.client_functions)
        for _ in range(SHORTENINGS):
            turn = Turn(self._writer, style, self._model)
            try:
                return await self._answer(asked, turn)
            except InvalidRequest as error:
                shorter = None if turn.tally.pieces else self._shortened(asked, error)
                if shorter is None:
                    raise
                asked = shorter
        return await self._answer(asked, Turn(self._writer, style, self._model))

    async def _heard(self, asked: AzureCreateChatCompletionRequest) -> AzureCreateChatCompletionRequest:
        """The request with words for its recordings, when the model does not hear them itself."""
        try:
            heard = await self._generation.heard(asked, self._spend)
        except ApiError as error:
            renamed(error, self._plan, asked)
            raise
        return heard.body

    def _shortened(
        self, asked: AzureCreateChatCompletionRequest, error: ApiError
    ) -> AzureCreateChatCompletionRequest | None:
        return truncated(asked, error) if self._plan.request.truncation == "auto" else None

    async def _answer(self, asked: AzureCreateChatCompletionRequest, turn: Turn) -> Turn:
        self._filters.begin(asked)
        try:
            async with aclosing(self._events(asked, turn.documents)) as events:
                async for event in events:
                    self._filters.see(event)
                    turn.see(event)
            self._note(self._filters.end(turn.finish_reason))
            turn.end()
        except ApiError as error:
            renamed(error, self._plan, asked)
            raise
        finally:
            self._count(turn.tally.used(asked))
            self._model = turn.tally.model
        return turn

    async def _events(self, asked: AzureCreateChatCompletionRequest, found: Sequence[str]) -> AsyncGenerator[ChatEvent]:
        """What the model says; all of it at its end, when it must not be shown before it was moderated."""
        moderation = self._plan.moderation
        is_held = moderation is not None and moderation.blocks_output
        said = self._generation.events(
            asked,
            ChatEngine,
            lambda engine: engine.chat(asked),
            delivery="streamed" if self._plan.request.stream and not is_held else "whole",
            is_azure=self._plan.is_azure,
            documents=[*self._files(), *found],
        )
        async with aclosing(said), aclosing(moderation.held(said) if moderation and is_held else said) as events:
            async for event in events:
                yield event

    def _files(self) -> list[str]:
        """What the files say that were sent along."""
        return documents_of([*self._plan.context, *self._plan.input])

    def _note(self, entries: Sequence[Json]) -> None:
        """Keep what the filter said of a turn where a run that goes on after a kill finds it."""
        if self._plan.is_background and self._plan.is_azure and entries:
            self._writer.note(**{FILTERED: list(entries)})

    def _count(self, used: Usage | None) -> None:
        if self._used is None or used is None:
            self._used = self._used or used
            return
        self._used = replace(
            self._used,
            prompt_tokens=self._used.prompt_tokens + used.prompt_tokens,
            completion_tokens=self._used.completion_tokens + used.completion_tokens,
            cached_tokens=self._used.cached_tokens + used.cached_tokens,
            reasoning_tokens=self._used.reasoning_tokens + used.reasoning_tokens,
        )

    def _summary(self) -> Summary | None:
        reasoning: Json = self._plan.response["reasoning"] or {}
        return reasoning.get("summary")

    def _calls_left(self) -> int | None:
        most = self._plan.request.max_tool_calls
        return None if most is None else max(0, most - sum(TOLD in item for item in self._writer.items))

    def _tokens_left(self) -> int | None:
        most = self._plan.request.max_output_tokens
        if most is None:
            return None
        return max(0, most - (self._used.completion_tokens if self._used else 0))

    async def _end(self, incomplete_for: str | None) -> None:
        fields: Json = {"usage": usage_json(self._used) if self._used else None, **self._filtered()}
        if incomplete_for is not None:
            self._writer.interrupt()
        if self._plan.moderation is not None:
            fields["moderation"] = await self._plan.moderation.outcome(self._writer.items)
        if incomplete_for is None:
            self._writer.end("completed", **fields)
        else:
            self._writer.end("incomplete", incomplete_details={"reason": incomplete_for}, **fields)

    def _filtered(self) -> Json:
        """The field with what the filter said, which only Azure has."""
        return {"content_filters": self._filters.entries} if self._plan.is_azure else {}


def _without_hosted(asked: AzureCreateChatCompletionRequest, kept: Collection[str]) -> AzureCreateChatCompletionRequest:
    """The request without the tools that run here, after the last of their calls that the client allows."""
    tools = [tool for tool in asked.tools or () if isinstance(tool, ChatCompletionTool) and tool.function.name in kept]
    changes = {"tools": tools} if tools else {"tools": None, "tool_choice": None, "parallel_tool_calls": None}
    return asked.model_copy(update=changes)


def usage_json(usage: Usage) -> Json:
    """The usage object of responses."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def _is_over(items: Sequence[Json]) -> bool:
    """Whether an earlier run had said all before it was killed: it ended with a whole message or a client's call."""
    return bool(items) and items[-1]["type"] in {"message", "function_call"} and items[-1]["status"] == "completed"


def _response_error_code(error: ApiError) -> str:
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    return "invalid_prompt" if isinstance(error, InvalidRequest) else "server_error"
