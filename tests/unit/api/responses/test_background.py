"""How a response in the background is written down while it is made, gone on with, and ended."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from ingesting import DirectContext
from smalt.api.generation import Generation
from smalt.api.responses.background import JobSink, RespondHandler
from smalt.api.responses.beginnings import beginning
from smalt.api.responses.folding import ResponseFold
from smalt.api.responses.plan import Plan
from smalt.api.responses.spending import JobSpending
from smalt.api.responses.streaming_later import followed
from smalt.api.responses.writer import ResponseWriter
from smalt.core.errors import NotFound
from smalt.core.settings import DeploymentSettings, Settings
from smalt.http.buckets import Buckets
from smalt.http.limits import open_limits
from smalt.jobs.protocols import NewJob
from smalt.jobs.queue import JobQueue
from smalt.models import Models
from smalt.schemas.responses import AzureCreateResponse
from smalt.store.database import Database
from smalt.store.keys import Keys
from smalt.store.migrating import migrate
from smalt.store.responses import NewResponse, Responses
from smalt.store.tables import usage
from smalt.store.usage import UsageRecorder
from unfiltered import NoContentFilter

ID = "resp_0123456789abcdef00" + "0" * 32
BEGINNING = beginning(
    {"background": True}, response_id=ID, model="echo", instructions=None, conversation_id=None, is_azure=False
)
ASKED = {"type": "message", "id": "msg_1", "role": "user", "status": "completed"}


@pytest.fixture
async def database(tmp_path):
    path = tmp_path / "smalt.db"
    await asyncio.to_thread(migrate, path)
    database = Database.open(path)
    yield database
    await database.close()


@pytest.fixture
def responses(database):
    return Responses(database, JobQueue())


@dataclass
class Planning:
    """Plans the one request that these tests make; `failure` is raised instead."""

    text: str = "blue glass"
    model: str = "echo"
    failure: Exception | None = None
    planned: list[str] = field(default_factory=list)

    async def resumed(self, stored):
        self.planned.append(stored.id)
        if self.failure:
            raise self.failure
        return Plan(
            id=stored.id,
            project=stored.project,
            request=AzureCreateResponse.model_validate({"model": self.model, "input": self.text}),
            response=BEGINNING,
            input=[{**ASKED, "content": [{"type": "input_text", "text": self.text}]}],
            context=[],
            tools=[],
            client_functions={},
            is_stored=True,
            is_background=True,
        )


@pytest.fixture
async def handle(tmp_path, database, responses):
    """Makes a handler over echoes: a quick one, and one that takes its time."""
    slow = DeploymentSettings(engine="echo", options={"delay_seconds": 0.05, "tokens": 100})
    settings = Settings(
        data_dir=tmp_path,
        starter=False,
        deployments={"echo": DeploymentSettings(engine="echo"), "slow": slow},
    )
    models = Models(settings, None)
    generation = Generation(models, NoContentFilter())
    spending = JobSpending(UsageRecorder(database), open_limits(settings), Keys(database))

    def make(planning):
        return RespondHandler(responses, planning, generation, spending, settings.responses)

    yield make
    await spending.close()
    await models.close()


async def begin(responses, *, told=2, key_id="key_1", **options):
    """A response with as many of its first events told."""
    events = []
    ResponseWriter(BEGINNING, events.append).queue()
    new = NewResponse(
        id=ID,
        project="shop",
        created_at=1000,
        model="echo",
        body={"model": "echo", "user": "ann"},
        response=BEGINNING,
        input=[ASKED],
        is_background=True,
        key_id=key_id,
        key_name="till",
        events=events[:told],
        **options,
    )
    await responses.begin(new)


def context():
    return DirectContext({}, id=ID, project="shop")


async def told(responses):
    return await responses.events_after("shop", ID, -1)


def types(events):
    return [event["type"].removeprefix("response.") for event in events]


def folded(events):
    fold = ResponseFold()
    for event in events:
        fold.add(event)
    return fold.response()


async def until(responses, is_so, seconds=20):
    async with asyncio.timeout(seconds):
        while True:
            if is_so(await told(responses)):
                return
            await asyncio.sleep(0.02)


async def test_the_job_makes_the_response_and_keeps_how_it_was_told(responses, handle):
    await begin(responses, is_streamed=True)
    await handle(Planning()).run(context())
    stored = await responses.get("shop", ID)
    events = await told(responses)
    assert types(events)[:4] == ["created", "queued", "in_progress", "output_item.added"]
    assert types(events)[-1] == "completed"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert stored.response["output"][0]["content"][0]["text"] == "blue glass"
    assert stored.response == folded(events) == events[-1]["response"]


async def test_what_a_job_uses_is_the_key_s(responses, handle, database):
    await begin(responses)
    await handle(Planning()).run(context())
    (row,) = await database.read(lambda connection: connection.execute(select(usage)).all())
    assert (row.key_id, row.project, row.operation, row.requests) == ("key_1", "shop", "createResponse", 1)
    assert (row.model, row.completion_tokens) == ("echo", 2)
    assert row.end_user


async def test_what_a_job_uses_counts_against_the_minute_of_the_key(responses, handle, database, tmp_path):
    key, _ = await Keys(database).create("till", "shop", tokens_per_minute=1000)
    await begin(responses, key_id=key.id)
    await handle(Planning()).run(context())
    (row,) = await database.read(lambda connection: connection.execute(select(usage)).all())
    with Buckets(tmp_path / "run" / "limits") as buckets:
        used = buckets.take(key.id, (0, None), (0, 1000)).tokens.used
    assert used == pytest.approx(row.prompt_tokens + row.completion_tokens, abs=2)


async def test_a_run_that_was_killed_goes_on_behind_its_last_event(responses, handle):
    await begin(responses, is_streamed=True)
    first = asyncio.create_task(handle(Planning(model="slow")).run(context()))
    await until(responses, lambda events: "output_text.delta" in types(events))
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    before = await told(responses)
    await handle(Planning()).run(context())
    events = await told(responses)
    assert events[: len(before)] == before
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert types(events).count("created") == types(events).count("in_progress") == 1
    broken, whole = (await responses.get("shop", ID)).response["output"]
    assert (broken["status"], whole["status"]) == ("incomplete", "completed")
    assert whole["content"][0]["text"] == "blue glass"
    assert (await responses.get("shop", ID)).response == folded(events)


async def test_a_cancelled_response_is_no_longer_made(responses, handle):
    await begin(responses, is_streamed=True)
    running = asyncio.create_task(handle(Planning(model="slow")).run(context()))
    await until(responses, lambda events: "output_text.delta" in types(events))
    await responses.cancel("shop", ID)
    async with asyncio.timeout(4):
        await running
    assert (await responses.get("shop", ID)).status == "cancelled"
    assert types(await told(responses))[-1] == "failed"
    planning = Planning()
    await handle(planning).run(context())
    assert planning.planned == []


async def test_a_deleted_response_is_no_longer_made(responses, handle):
    await begin(responses)
    running = asyncio.create_task(handle(Planning(model="slow")).run(context()))
    await until(responses, lambda events: "output_text.delta" in types(events))
    await responses.delete("shop", ID)
    async with asyncio.timeout(4):
        await running
    await handle(Planning()).run(context())
    with pytest.raises(NotFound):
        await responses.get("shop", ID)


async def test_a_request_that_cannot_be_understood_any_more_fails_the_response(responses, handle):
    await begin(responses, is_streamed=True)
    await handle(Planning(failure=NotFound("The file is gone."))).run(context())
    failed = (await responses.get("shop", ID)).response
    assert (failed["status"], failed["error"]["message"]) == ("failed", "The file is gone.")
    assert types(await told(responses)) == ["created", "queued", "in_progress", "error", "failed"]


async def test_a_model_that_is_not_there_fails_the_response(responses, handle):
    await begin(responses)
    await handle(Planning(model="gone")).run(context())
    failed = (await responses.get("shop", ID)).response
    assert failed["status"] == "failed"
    assert "gone" in failed["error"]["message"]


@pytest.mark.parametrize("events", [0, 2])
async def test_the_response_of_a_job_that_failed_fails(responses, handle, events):
    await begin(responses, told=events, is_streamed=True)
    job = NewJob(ID, "respond", "shop", "responses")
    for _ in range(2):
        await handle(Planning()).ended_early(job, "failed", "It was begun 100 times.")
    failed = (await responses.get("shop", ID)).response
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
    assert "begun 100 times" in failed["error"]["message"]
    assert types(await told(responses)) == ["created", "queued", "in_progress", "error", "failed"]


async def test_the_response_of_a_job_that_was_cancelled_is_cancelled(responses, handle):
    await begin(responses)
    job = NewJob(ID, "respond", "shop", "responses")
    for _ in range(2):
        await handle(Planning()).ended_early(job, "cancelled", "It was cancelled.")
    assert (await responses.get("shop", ID)).status == "cancelled"


async def test_what_goes_wrong_in_a_run_is_raised(responses):
    await begin(responses)

    async def breaking():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await JobSink(responses, ID).write_while(breaking())


async def test_a_client_that_polls_sees_whole_items(responses):
    await begin(responses)
    seen = []

    async def shown(items):
        while True:
            response = (await responses.get("shop", ID)).response
            if len(response["output"]) == items:
                return response
            await asyncio.sleep(0.01)

    async def running():
        writer = ResponseWriter(BEGINNING, sink.add, await told(responses))
        writer.start()
        for name in "ab":
            writer.begin("msg_", {"type": "message", "status": "in_progress", "content": [], "name": name}).end(
                status="completed"
            )
            seen.append(await shown(len(seen) + 1))
        writer.end("completed")
        return {}

    sink = JobSink(responses, ID, await told(responses))
    async with asyncio.timeout(20):
        await sink.write_while(running())
    assert [[item["name"] for item in one["output"]] for one in seen] == [["a"], ["a", "b"]]
    assert {one["status"] for one in seen} == {"in_progress"}


async def test_who_follows_hears_everything_once_and_the_end(responses, handle):
    await begin(responses, is_streamed=True)
    stored = await responses.get("shop", ID)

    async def follow(number):
        return [event async for batch in followed(responses, stored, number) for event in batch]

    following = [asyncio.create_task(follow(number)) for number in (-1, 2)]
    await handle(Planning(model="slow", text="a long story")).run(context())
    async with asyncio.timeout(20):
        everything, rest = await asyncio.gather(*following)
    assert everything == await told(responses)
    assert rest == everything[3:]
    assert await follow(len(everything) - 1) == []
