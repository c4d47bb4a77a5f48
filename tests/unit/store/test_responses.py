"""How responses are begun, written on, ended, gone on from and forgotten."""

import pytest
import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import Conflict, InvalidRequest, NotFound
from smalt.jobs.queue import JobQueue
from smalt.store.conversations import Conversations
from smalt.store.cursors import Slice
from smalt.store.response_endings import AbandonedResponses, silent_since
from smalt.store.responses import NewResponse, Responses
from smalt.store.tables import jobs, response_events, response_input_items
from smalt.store.tables import responses as table


@pytest.fixture
def responses(database):
    return Responses(database, JobQueue())


def message(name, role="user"):
    return {"id": f"msg_{name}", "type": "message", "role": role, "content": [{"type": "input_text", "text": name}]}


def answer(name, status="completed", output=("said",)):
    items = [message(f"{name}_{one}", "assistant") for one in output]
    usage = {"total_tokens": 3} if status == "completed" else None
    return {"id": name, "object": "response", "status": status, "output": items, "usage": usage, "error": None}


def event(number, type_="response.output_text.delta", **fields):
    return {"type": type_, **fields, "sequence_number": number}


async def begin(responses, name, *, asked=("asked",), status="in_progress", **options):
    items = [message(f"{name}_{one}") for one in asked]
    new = NewResponse(
        id=name,
        project="shop",
        created_at=1000,
        model="echo",
        body={"model": "echo"},
        response=answer(name, status, output=()),
        input=items,
        key_id="key_1",
        key_name="till",
        **options,
    )
    await responses.begin(new)


async def make(responses, name, **options):
    await begin(responses, name, **options)
    await responses.finish("shop", name, answer(name))


async def begin_job(responses, name="resp_job", **options):
    await begin(responses, name, status="queued", is_background=True, events=[event(0), event(1)], **options)


def ids(items):
    return [item["id"] for item in items]


async def count(database, counted):
    query = sa.select(sa.func.count()).select_from(counted)
    return await database.read(lambda connection: connection.execute(query).scalar_one())


async def job_row(database, name="resp_job"):
    query = sa.select(jobs).where(jobs.c.id == name)
    return await database.read(lambda connection: connection.execute(query).one())


async def test_a_response_is_there_from_its_beginning_to_its_end(responses):
    await begin(responses, "resp_1")
    begun = await responses.get("shop", "resp_1")
    assert (begun.status, begun.is_finished) == ("in_progress", False)
    assert (begun.key_id, begun.key_name, begun.model) == ("key_1", "till", "echo")
    await responses.finish("shop", "resp_1", answer("resp_1"))
    ended = await responses.get("shop", "resp_1")
    assert ended.is_finished
    assert ended.response == answer("resp_1")


async def test_a_response_ends_once(responses):
    await make(responses, "resp_1")
    await responses.finish("shop", "resp_1", answer("resp_1", "failed"))
    assert (await responses.get("shop", "resp_1")).status == "completed"


async def test_another_project_sees_and_ends_nothing(responses):
    await begin_job(responses)
    await begin(responses, "resp_1")
    for asking in (
        responses.get("other", "resp_1"),
        responses.own_input("other", "resp_1"),
        responses.input_items("other", "resp_1", Slice()),
        responses.events_after("other", "resp_job", -1),
        responses.cancel("other", "resp_job"),
        responses.delete("other", "resp_1"),
    ):
        with pytest.raises(NotFound, match=r"Response with id 'resp_.*' not found"):
            await asking
    with pytest.raises(InvalidRequest) as refused:
        await responses.context("other", "resp_1")
    assert (refused.value.param, refused.value.code) == ("previous_response_id", "previous_response_not_found")
    await responses.finish("other", "resp_1", answer("resp_1"))
    assert not (await responses.get("shop", "resp_1")).is_finished


async def test_the_context_is_everything_said_before_oldest_first(responses):
    await make(responses, "resp_1", asked=("a", "b"))
    await make(responses, "resp_2", previous_response_id="resp_1")
    await make(responses, "resp_3", previous_response_id="resp_2")
    expected = ["msg_resp_1_a", "msg_resp_1_b", "msg_resp_1_said", "msg_resp_2_asked", "msg_resp_2_said"]
    assert ids(await responses.context("shop", "resp_2")) == expected
    assert ids(await responses.own_input("shop", "resp_2")) == ["msg_resp_2_asked"]
    everything = [*expected, "msg_resp_3_asked", "msg_resp_3_said"]
    assert ids(await responses.context("shop", "resp_3")) == everything


async def test_two_may_go_on_from_one(responses):
    await make(responses, "resp_1")
    await make(responses, "resp_2", previous_response_id="resp_1")
    await make(responses, "resp_3", previous_response_id="resp_1")
    assert ids(await responses.context("shop", "resp_3")) == [
        "msg_resp_1_asked",
        "msg_resp_1_said",
        "msg_resp_3_asked",
        "msg_resp_3_said",
    ]


async def test_a_long_chain_is_read_at_once(responses):
    await make(responses, "resp_0")
    for number in range(1, 60):
        await make(responses, f"resp_{number}", previous_response_id=f"resp_{number - 1}")
    context = await responses.context("shop", "resp_59")
    assert ids(context) == [f"msg_resp_{n}_{what}" for n in range(60) for what in ("asked", "said")]


async def test_nothing_goes_on_from_what_has_not_ended(responses):
    await begin(responses, "resp_1")
    with pytest.raises(InvalidRequest, match="in_progress") as refused:
        await responses.context("shop", "resp_1")
    assert refused.value.param == "previous_response_id"
    with pytest.raises(InvalidRequest, match="not found"):
        await begin(responses, "resp_2", previous_response_id="resp_none")
    with pytest.raises(NotFound):
        await responses.get("shop", "resp_2")


async def test_a_deleted_response_is_gone_at_once(responses, database):
    await make(responses, "resp_1")
    await responses.delete("shop", "resp_1")
    with pytest.raises(NotFound):
        await responses.get("shop", "resp_1")
    with pytest.raises(NotFound):
        await responses.delete("shop", "resp_1")
    assert await count(database, table) == await count(database, response_input_items) == 0


async def test_what_a_deleted_response_said_stays_while_another_goes_on_from_it(responses, database):
    for number in range(3):
        previous = f"resp_{number - 1}" if number else None
        await make(responses, f"resp_{number}", previous_response_id=previous)
    before = await responses.context("shop", "resp_2")
    await responses.delete("shop", "resp_0")
    await responses.delete("shop", "resp_1")
    assert await responses.context("shop", "resp_2") == before
    with pytest.raises(InvalidRequest, match="not found"):
        await begin(responses, "resp_9", previous_response_id="resp_1")
    await responses.delete("shop", "resp_2")
    assert await count(database, table) == await count(database, response_input_items) == 0


async def test_input_items_are_those_of_the_whole_conversation_in_pages(responses):
    await make(responses, "resp_1", asked=("a", "b"))
    await make(responses, "resp_2", previous_response_id="resp_1")
    everything = ["msg_resp_1_a", "msg_resp_1_b", "msg_resp_1_said", "msg_resp_2_asked"]

    async def page(**asked):
        found = await responses.input_items("shop", "resp_2", Slice(**asked))
        return ids(found.items), found.has_more

    assert await page() == (everything[::-1], False)
    assert await page(order="asc", limit=3) == (everything[:3], True)
    assert await page(order="asc", limit=3, after="msg_resp_1_said") == (everything[3:], False)
    assert await page(order="asc", limit=1, before="msg_resp_1_said") == (["msg_resp_1_b"], True)
    assert await page(order="desc", limit=2, before="msg_resp_1_b") == (everything[:1:-1], False)
    assert await page(order="asc", after="msg_resp_1_a", before="msg_resp_2_asked") == (everything[1:3], False)
    with pytest.raises(NotFound, match="msg_other") as refused:
        await page(after="msg_other")
    assert refused.value.param == "after"


async def test_a_conversation_gets_what_was_asked_and_said_when_the_response_ends(responses, database):
    conversations = Conversations(database)
    conversation = (await conversations.create("shop", [message("before")], {})).id
    await begin(responses, "resp_1", conversation_id=conversation)
    assert ids(await conversations.items("shop", conversation)) == ["msg_before"]
    await responses.finish("shop", "resp_1", answer("resp_1"))
    told = ["msg_before", "msg_resp_1_asked", "msg_resp_1_said"]
    assert ids(await conversations.items("shop", conversation)) == told
    await conversations.add("shop", conversation, [message("after")])
    assert ids(await responses.context("shop", "resp_1")) == told
    assert ids((await responses.input_items("shop", "resp_1", Slice(order="asc"))).items) == told[:2]


async def test_a_conversation_gets_nothing_from_a_response_that_failed_or_when_it_is_gone(responses, database):
    conversations = Conversations(database)
    conversation = (await conversations.create("shop", [], {})).id
    await begin(responses, "resp_1", conversation_id=conversation)
    await responses.finish("shop", "resp_1", answer("resp_1", "failed"))
    assert await conversations.items("shop", conversation) == []
    await begin(responses, "resp_2", conversation_id=conversation)
    await conversations.delete("shop", conversation)
    await responses.finish("shop", "resp_2", answer("resp_2"))
    assert ids(await responses.context("shop", "resp_2")) == ["msg_resp_2_asked", "msg_resp_2_said"]


async def test_a_response_in_the_background_begins_with_its_job(responses, database):
    await begin_job(responses)
    row = await job_row(database)
    assert (row.kind, row.queue, row.project, row.wanted) == ("respond", "responses", "shop", "run")
    assert await responses.events_after("shop", "resp_job", -1) == [event(0), event(1)]
    with pytest.raises(InvalidRequest):
        await begin_job(responses, "resp_lost", previous_response_id="resp_none")
    assert await count(database, jobs) == 1


async def test_the_request_is_kept_as_long_as_a_job_needs_it(responses):
    await begin_job(responses)
    assert (await responses.get("shop", "resp_job")).body == {"model": "echo"}
    await responses.append("resp_job", [event(2)], answer("resp_job"))
    assert (await responses.get("shop", "resp_job")).body == {}
    await begin(responses, "resp_1")
    assert (await responses.get("shop", "resp_1")).body == {}


async def test_events_are_read_from_any_of_them_on(responses):
    await begin_job(responses, is_streamed=True)
    assert await responses.append("resp_job", [event(2), event(3)])
    assert await responses.append("resp_job", [event(4)], answer("resp_job", "in_progress"))
    assert await responses.events_after("shop", "resp_job", 2) == [event(3), event(4)]
    assert (await responses.get("shop", "resp_job")).response["output"] != []
    followed = await responses.follow("shop", "resp_job", 4)
    assert (followed.events, followed.is_finished) == ([], False)
    assert await responses.append("resp_job", [event(5)], answer("resp_job"))
    followed = await responses.follow("shop", "resp_job", 4)
    assert (followed.events, followed.is_finished) == ([event(5)], True)


async def test_of_two_runs_of_one_response_only_the_first_is_heard(responses):
    await begin_job(responses, is_streamed=True)
    assert await responses.append("resp_job", [event(2)])
    assert not await responses.append("resp_job", [event(2)], answer("resp_job"))
    assert not await responses.append("resp_job", [event(4)])
    assert len(await responses.events_after("shop", "resp_job", -1)) == 3
    assert not (await responses.get("shop", "resp_job")).is_finished


async def test_events_that_nobody_may_stream_go_when_the_response_ends(responses, database):
    await begin_job(responses)
    await responses.append("resp_job", [event(2)], answer("resp_job"))
    assert await count(database, response_events) == 0
    assert (await responses.follow("shop", "resp_job", -1)).is_finished


async def test_a_cancelled_response_stays_cancelled(responses, database):
    await begin_job(responses, is_streamed=True)
    await responses.append("resp_job", [event(2)], answer("resp_job", "in_progress"))
    cancelled = await responses.cancel("shop", "resp_job")
    assert (cancelled.status, cancelled.response["output"], cancelled.response["usage"]) == ("cancelled", [], None)
    assert await responses.cancel("shop", "resp_job") == cancelled
    assert (await job_row(database)).wanted == "cancel"
    assert not await responses.append("resp_job", [event(3)], answer("resp_job"))
    await responses.finish("shop", "resp_job", answer("resp_job"))
    assert (await responses.get("shop", "resp_job")).response == cancelled.response
    last = (await responses.events_after("shop", "resp_job", -1))[-1]
    assert (last["type"], last["sequence_number"], last["response"]) == ("response.failed", 3, cancelled.response)


async def test_only_an_unfinished_response_in_the_background_is_cancelled(responses):
    await begin(responses, "resp_1")
    with pytest.raises(InvalidRequest, match="synchronous"):
        await responses.cancel("shop", "resp_1")
    for status in ("completed", "failed", "incomplete"):
        await begin_job(responses, f"resp_{status}")
        await responses.finish("shop", f"resp_{status}", answer(f"resp_{status}", status))
        with pytest.raises(Conflict, match=status):
            await responses.cancel("shop", f"resp_{status}")


async def test_deleting_stops_whoever_works_on_it(responses, database):
    await begin_job(responses)
    await begin(responses, "resp_1")
    await begin(responses, "resp_2")
    assert await responses.keep_alive(["resp_1", "resp_2"]) == set()
    await responses.delete("shop", "resp_job")
    await responses.delete("shop", "resp_1")
    assert (await job_row(database)).wanted == "cancel"
    assert not await responses.append("resp_job", [event(2)])
    assert await responses.keep_alive(["resp_1", "resp_2"]) == {"resp_1"}
    assert await responses.find("resp_job") is None


async def test_a_response_whose_server_is_silent_fails(responses, database):
    await begin(responses, "resp_1")
    await begin(responses, "resp_2")
    await begin_job(responses)
    assert await database.read(silent_since) > now()
    past = sa.update(table).where(table.c.id != "resp_2").values(heard_at=now() - 100)
    await database.write(lambda connection: connection.execute(past) and None)
    assert await database.read(silent_since) < now()
    await AbandonedResponses(database).sweep()
    failed = (await responses.get("shop", "resp_1")).response
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
    assert not (await responses.get("shop", "resp_2")).is_finished
    assert not (await responses.get("shop", "resp_job")).is_finished
    await responses.finish("shop", "resp_2", answer("resp_2"))
    assert await database.read(silent_since) is None
