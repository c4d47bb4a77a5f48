"""What a request used is reported once, also when its client left in the middle."""

# ruff: noqa: ARG002 - stand-ins take what the real ones take

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from smalt.api.accounting import Tally
from smalt.api.chat.chunks import ChunkStamper, ChunkStyle
from smalt.api.generation import Generation, spelled
from smalt.core.errors import EngineFailed
from smalt.engines.protocols import (
    ChatDelta,
    ChatEngine,
    ChatEvent,
    Deployment,
    LateJudgement,
    PromptJudged,
    Serving,
    Usage,
)
from smalt.http.call import Call
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from unfiltered import NoContentFilter

CONTEXT = {"end_user_id": "e"}
BODY = AzureCreateChatCompletionRequest.model_validate(
    {
        "model": "m",
        "messages": [{"role": "user", "content": "word " * 20}],
        "user": "u",
        "user_security_context": CONTEXT,
    }
)


class Teller:
    """An engine that knows when it was closed."""

    def __init__(self, *events: ChatEvent) -> None:
        self.events = events
        self.is_closed = False

    async def chat(self, body: AzureCreateChatCompletionRequest) -> AsyncGenerator[ChatEvent]:
        try:
            for event in self.events:
                yield event
        finally:
            self.is_closed = True


class Lender:
    def __init__(self, engine: Teller) -> None:
        self.engine = engine
        self.is_lent = False

    def find(self, name: str) -> Deployment:
        return Deployment(name, "teller", name, frozenset({"chat_completion"}))

    @asynccontextmanager
    async def lease(self, name: str, ability: type[Any]) -> AsyncGenerator[Any]:
        self.is_lent = True
        yield self.engine
        self.is_lent = False


class Recorder:
    def __init__(self) -> None:
        self.spent_: list[Any] = []

    def spent(self, call: Call, model: str, tokens: Any, end_user: Any) -> None:
        self.spent_.append((model, tokens.prompt_tokens, tokens.completion_tokens, tokens.cached_tokens, end_user))


def generation(engine: Teller) -> tuple[AsyncGenerator[bytes], Recorder, Lender]:
    recorder, lender = Recorder(), Lender(engine)
    call = Call("azure_v1", "POST", "/", "r", meters=(recorder,))
    stamper = ChunkStamper(ChunkStyle(model="m"))
    chunks = Generation(lender, NoContentFilter()).chunks(
        BODY, ChatEngine, lambda lent: lent.chat(BODY), stamper=stamper, call=call, delivery="streamed"
    )
    return spelled(chunks), recorder, lender


async def test_the_engines_count_is_reported_with_the_end_user():
    engine = Teller(Serving("real"), ChatDelta(content="a", finish_reason="stop"), Usage(9, 1, cached_tokens=4))
    stream, recorder, lender = generation(engine)
    assert len([chunk async for chunk in stream]) == 4
    ((model, prompt, completion, cached, end_user),) = recorder.spent_
    assert (model, prompt, completion, cached) == ("real", 9, 1, 4)
    assert (end_user.user, end_user.end_user_id) == ("u", "e")
    assert not lender.is_lent


async def test_a_client_that_leaves_frees_the_engine_and_pays_for_what_came():
    engine = Teller(*(ChatDelta(content="a") for _ in range(9)))
    stream, recorder, _ = generation(engine)
    async with aclosing(stream):
        for _ in range(4):
            await anext(stream)
    assert engine.is_closed
    ((model, prompt, completion, _, _),) = recorder.spent_
    assert (model, completion) == ("m", 3)
    assert 25 <= prompt <= 50


async def test_what_was_never_begun_costs_nothing():
    stream, recorder, _ = generation(Teller())
    with pytest.raises(EngineFailed, match="finish reason"):
        await anext(stream)
    assert recorder.spent_ == []


def test_what_the_filter_says_is_no_piece_of_the_answer():
    tally = Tally("m")
    tally.see(PromptJudged([]))
    tally.see(LateJudgement(0, {}, 0, 0, 1))
    assert (tally.pieces, tally.used(BODY)) == (0, None)
