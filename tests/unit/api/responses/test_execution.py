"""A run belongs to its response: what is stored is made to its end, what is not stops with its reader."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from responding import Engine, planned, said
from serving import opened
from smalt.api.generation import Generation
from smalt.api.responses.execution import Begun, Runs
from smalt.api.responses.plan import Plan
from smalt.core.errors import NotFound, Unavailable
from smalt.core.settings import Settings
from smalt.engines.protocols import ChatDelta, ChatEvent
from smalt.http.call import Call
from smalt.jobs.queue import JobQueue
from smalt.jobs.waking import wake_path
from smalt.models import Models
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.store.database import default_database
from smalt.store.responses import Responses
from smalt.store.usage import EndUser, Tokens
from unfiltered import NoContentFilter


@dataclass
class WaitingEngine(Engine):
    """Says one word, and the rest when it is let."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    is_stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def chat(self, body: AzureCreateChatCompletionRequest) -> AsyncGenerator[ChatEvent]:
        try:
            yield ChatDelta(content="Well, ")
            await self.go_on.wait()
            async for event in super().chat(body):
                yield event
        except (GeneratorExit, asyncio.CancelledError):
            self.is_stopped.set()
            raise


@dataclass
class Ledger:
    """A meter that writes down what it hears."""

    spent_tokens: list[tuple[str, Tokens, EndUser | None]] = field(default_factory=list)

    def spent(self, call: Call, model: str, tokens: Tokens, end_user: EndUser | None) -> None:
        assert call.model == model
        self.spent_tokens.append((model, tokens, end_user))


@pytest.fixture
async def responses(tmp_path: Path) -> AsyncIterator[Responses]:
    database = opened(tmp_path, default_database(tmp_path))
    yield Responses(database, JobQueue(wake_path(tmp_path)))
    await database.close()


@pytest.fixture
async def runs(tmp_path: Path, responses: Responses) -> AsyncIterator[Runs]:
    runs = Runs(Settings(data_dir=tmp_path, starter=False), responses, heartbeat_seconds=0.05)
    yield runs
    await runs.close()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def begun(runs: Runs, plan: Plan, engine: Engine, ledger: Ledger) -> Begun:
    call = Call("openai_v1", "POST", "/responses", "request", meters=(ledger,))
    return runs.begin(plan, Generation(cast("Models", engine), NoContentFilter()), call)


async def soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await event.wait()


async def test_a_response_is_in_the_store_from_its_first_event_to_its_end(
    runs: Runs, responses: Responses, ledger: Ledger
):
    plan, engine = planned(user="ada"), WaitingEngine([said("there.")])
    async with aclosing(begun(runs, plan, engine, ledger).batches()) as batches:
        first = await anext(batches)
        assert first[0]["type"] == "response.created"
        assert (await responses.get("default", plan.id)).response["status"] == "in_progress"
        engine.go_on.set()
        last = [event async for batch in batches for event in batch][-1]
    assert (await responses.get("default", plan.id)).response == last["response"]
    assert [(tokens.completion_tokens, user) for _, tokens, user in ledger.spent_tokens] == [(1, EndUser("ada"))]


async def test_a_stored_response_goes_on_without_its_reader(runs: Runs, responses: Responses, ledger: Ledger):
    plan, engine = planned(), WaitingEngine([said("there.")])
    run = begun(runs, plan, engine, ledger)
    async with aclosing(run.batches()) as batches:
        await anext(batches)
    assert runs.response_ids == [plan.id]
    engine.go_on.set()
    await run.task
    assert (await responses.get("default", plan.id)).response["status"] == "completed"
    assert runs.response_ids == []


async def test_what_is_not_stored_stops_with_its_reader(runs: Runs, ledger: Ledger):
    engine = WaitingEngine([said("there.")])
    async with aclosing(begun(runs, planned(store=False), engine, ledger).batches()) as batches:
        await anext(batches)
    await soon(engine.is_stopped)
    assert [tokens.completion_tokens for _, tokens, _ in ledger.spent_tokens] == [1]


async def test_what_is_not_stored_stops_with_whoever_waits_for_it(runs: Runs, ledger: Ledger):
    engine = WaitingEngine([said("there.")])
    waiting = asyncio.create_task(begun(runs, planned(store=False), engine, ledger).answer())
    await asyncio.sleep(0.05)
    waiting.cancel()
    await soon(engine.is_stopped)


async def test_what_fails_before_its_first_word_is_raised_and_not_stored(
    runs: Runs, responses: Responses, ledger: Ledger
):
    plan = planned()
    with pytest.raises(Unavailable):
        await begun(runs, plan, Engine([[Unavailable("No room.")]]), ledger).answer()
    with pytest.raises(NotFound):
        await responses.get("default", plan.id)
    with pytest.raises(Unavailable):
        _ = [batch async for batch in begun(runs, planned(), Engine([[Unavailable("No room.")]]), ledger).batches()]
    assert ledger.spent_tokens == []


async def test_a_response_that_is_deleted_while_it_is_made_is_stopped(runs: Runs, responses: Responses, ledger: Ledger):
    plan, engine = planned(), WaitingEngine([said("there.")])
    async with aclosing(begun(runs, plan, engine, ledger).batches()) as batches:
        await anext(batches)
    await responses.delete("default", plan.id)
    await soon(engine.is_stopped)
    with pytest.raises(NotFound):
        await responses.get("default", plan.id)


async def test_closing_ends_what_is_being_made_as_failed(runs: Runs, responses: Responses, ledger: Ledger):
    plan, engine = planned(), WaitingEngine([said("there.")])
    async with aclosing(begun(runs, plan, engine, ledger).batches()) as batches:
        await anext(batches)
    await runs.close()
    kept = (await responses.get("default", plan.id)).response
    assert (kept["status"], kept["error"]["code"]) == ("failed", "server_error")
    assert kept["output"][0]["status"] == "incomplete"
