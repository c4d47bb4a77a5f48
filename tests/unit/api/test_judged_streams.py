"""A prompt is judged while its model is got ready, and nothing leaves before the verdict."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from smalt.api.generation import Generation
from smalt.core.errors import ApiError, ContextLengthExceeded, EngineFailed, Unavailable
from smalt.engines.protocols import ChatDelta, ChatEngine, ChatEvent, Deployment, PromptJudged, Serving, Usage
from smalt.models import Models
from smalt.safety.content_filter import Asked, Delivery, Event, PromptFiltered
from smalt.safety.streaming import held_back
from smalt.safety.transcripts import Stretch
from smalt.schemas.chat import AzureCreateChatCompletionRequest

SAFE = {"violence": {"filtered": False, "severity": "safe"}}
GRAVE = {"violence": {"filtered": True, "severity": "high"}}
BODY = AzureCreateChatCompletionRequest.model_validate(
    {"model": "m", "messages": [{"role": "user", "content": "word " * 40}]}
)
JUDGED = PromptJudged([{"prompt_index": 0, "content_filter_results": SAFE}])


@dataclass
class Judging:
    """Judges when it is let; blocks answers with the word banana. It is the filter and its checks in one."""

    refusal: ApiError | None = None
    is_let: asyncio.Event = field(default_factory=asyncio.Event)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    was_given_up: bool = False

    def checks(self, deployment: Deployment, *, is_azure: bool, delivery: Delivery = "whole") -> "Judging":
        del deployment, is_azure, delivery
        return self

    async def judge(self, asked: Asked, documents: Sequence[str] = ()) -> PromptJudged | None:
        del asked, documents
        self.has_begun.set()
        try:
            await self.is_let.wait()
        except asyncio.CancelledError:
            self.was_given_up = True
            raise
        if self.refusal is not None:
            raise self.refusal
        return JUDGED

    def watch(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        return held_back(events, self._look)

    async def look(self, texts: Sequence[str]) -> dict[str, Any]:
        return GRAVE if any("banana" in text for text in texts) else SAFE

    async def _look(self, stretch: Stretch) -> dict[str, Any]:
        return GRAVE if any("banana" in text for text in stretch.transcript.add(stretch.deltas)) else SAFE


@dataclass
class Lending:
    """Lends one engine, which says some events; remembers what became of it."""

    events: Sequence[ChatEvent] = ()
    failure: ApiError | None = None
    is_here: bool = True
    refusals: list[ApiError] = field(default_factory=list[ApiError])
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    is_lent: bool = False
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    is_closed: bool = False
    said: int = 0

    def find(self, name: str) -> Deployment:
        weights = {"model": "/there"} if self.is_here else {}
        return Deployment(name, "told", name, frozenset({"chat_completion"}), weights=weights)

    @asynccontextmanager
    async def lease(self, name: str, ability: type[Any]) -> AsyncGenerator[Any]:
        del name, ability
        await self.is_ready.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        self.is_lent = True
        try:
            yield self
        finally:
            self.is_lent = False

    async def chat(self, body: AzureCreateChatCompletionRequest) -> AsyncGenerator[ChatEvent]:
        del body
        self.was_asked.set()
        try:
            yield Serving("real")
            if self.failure is not None:
                raise self.failure
            for event in self.events:
                await asyncio.sleep(0)
                self.said += 1
                yield event
        finally:
            self.is_closed = True


ANSWER = (ChatDelta(content="a pear"), ChatDelta(finish_reason="stop"), Usage(7, 2))


def asking(judging: Judging, lending: Lending) -> AsyncGenerator[ChatEvent]:
    generation = Generation(cast("Models", lending), judging)
    return generation.events(BODY, ChatEngine, lambda engine: engine.chat(BODY), delivery="streamed", is_azure=True)


async def told(judging: Judging, lending: Lending) -> list[ChatEvent]:
    async with asyncio.timeout(5), aclosing(asking(judging, lending)) as events:
        return [event async for event in events]


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_model_is_got_ready_and_reads_the_prompt_while_it_is_judged():
    judging, lending = Judging(), Lending(ANSWER)
    lending.is_ready.set()
    asked = asyncio.create_task(told(judging, lending))
    await settle()
    assert (judging.has_begun.is_set(), lending.was_asked.is_set(), asked.done()) == (True, True, False)
    assert lending.said == 1
    judging.is_let.set()
    events = await asked
    assert events[:2] == [Serving("real"), JUDGED]
    assert events[-1] == Usage(7, 2)
    assert (lending.is_closed, lending.is_lent) == (True, False)


async def test_nothing_leaves_before_the_verdict():
    judging, lending = Judging(), Lending(ANSWER)
    lending.is_ready.set()
    async with aclosing(asking(judging, lending)) as events:
        first = asyncio.ensure_future(anext(events))
        await settle()
        assert not first.done()
        judging.is_let.set()
        assert await first == Serving("real")


async def test_a_model_elsewhere_is_not_asked_before_the_verdict():
    judging, lending = Judging(refusal=PromptFiltered(GRAVE)), Lending(ANSWER, is_here=False)
    lending.is_ready.set()
    asked = asyncio.create_task(told(judging, lending))
    await settle()
    assert (lending.is_lent, lending.was_asked.is_set()) == (True, False)
    judging.is_let.set()
    with pytest.raises(PromptFiltered):
        await asked
    assert (lending.is_lent, lending.was_asked.is_set()) == (False, False)


@pytest.mark.parametrize("refusal", [PromptFiltered(GRAVE), Unavailable("The content filter cannot judge this.")])
async def test_a_refused_prompt_ends_what_has_begun(refusal: ApiError):
    judging, lending = Judging(refusal), Lending(ANSWER)
    lending.is_ready.set()
    asked = asyncio.create_task(told(judging, lending))
    await settle()
    assert lending.was_asked.is_set()
    judging.is_let.set()
    with pytest.raises(type(refusal)):
        await asked
    assert (lending.is_closed, lending.is_lent) == (True, False)


async def test_a_refused_prompt_does_not_wait_for_its_model():
    judging, lending = Judging(PromptFiltered(GRAVE)), Lending(ANSWER)
    judging.is_let.set()
    with pytest.raises(PromptFiltered):
        await told(judging, lending)
    assert not lending.is_lent


@pytest.mark.parametrize("failure", [Unavailable("No room."), EngineFailed("No weights.")])
async def test_a_refused_prompt_is_told_before_a_model_that_is_not_to_be_had(failure: ApiError):
    judging, lending = Judging(PromptFiltered(GRAVE)), Lending(refusals=[failure, failure])
    lending.is_ready.set()
    asked = asyncio.create_task(told(judging, lending))
    await settle()
    judging.is_let.set()
    with pytest.raises(PromptFiltered):
        await asked


async def test_a_refused_prompt_is_told_before_what_the_engine_has_against_it():
    judging, lending = Judging(PromptFiltered(GRAVE)), Lending(failure=ContextLengthExceeded("Too long."))
    lending.is_ready.set()
    asked = asyncio.create_task(told(judging, lending))
    await settle()
    judging.is_let.set()
    with pytest.raises(PromptFiltered):
        await asked


async def test_what_the_engine_has_against_a_fine_prompt_is_told():
    judging, lending = Judging(), Lending(failure=ContextLengthExceeded("Too long."))
    judging.is_let.set()
    lending.is_ready.set()
    with pytest.raises(ContextLengthExceeded):
        await told(judging, lending)


async def test_a_model_for_which_there_was_no_room_beside_the_judge_is_asked_for_again():
    judging, lending = Judging(), Lending(ANSWER, refusals=[Unavailable("No room.")])
    lending.is_ready.set()
    judging.is_let.set()
    assert (await told(judging, lending))[-1] == Usage(7, 2)
    lending.refusals = [EngineFailed("No weights."), EngineFailed("No weights.")]
    with pytest.raises(EngineFailed, match="No weights"):
        await told(judging, lending)
    assert len(lending.refusals) == 1


async def test_whoever_leaves_ends_the_judging_and_the_engine():
    judging, lending = Judging(), Lending(ANSWER)
    lending.is_ready.set()
    asked = asyncio.create_task(told(judging, lending))
    await settle()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (judging.was_given_up, lending.is_closed, lending.is_lent) == (True, True, False)


@pytest.mark.parametrize("is_here", [True, False])
async def test_an_engine_whose_answer_is_blocked_stops_and_what_it_made_is_counted(is_here: bool):
    judging = Judging()
    words = [ChatDelta(content=f"word{number} banana ") for number in range(5000)]
    lending = Lending([*words, ChatDelta(finish_reason="stop"), Usage(40, 5000)], is_here=is_here)
    judging.is_let.set()
    lending.is_ready.set()
    serving, judged, end, usage = await told(judging, lending)
    assert (serving, judged) == (Serving("real"), JUDGED)
    assert end == ChatDelta(finish_reason="content_filter", judged=GRAVE)
    assert isinstance(usage, Usage)
    assert lending.said - 1 <= usage.completion_tokens <= lending.said < 1000
    assert 40 <= usage.prompt_tokens <= 80
    assert lending.is_closed
