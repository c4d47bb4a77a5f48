"""What the journal says of a row is true after every kill."""

import orjson
import pytest

from smalt.connectors.exchange import Answer, OutgoingCall
from smalt.connectors.refusals import Interrupted
from smalt.connectors.runs.journal import Entry
from smalt.core.errors import InvalidRequest, RateLimited, Unavailable
from smalt.store.connector_run_rows import ConnectorRunRows, RowEnded, TakenOver

POST = OutgoingCall(method="POST", path="/x")
GET = OutgoingCall(method="GET", path="/x")
DELETE = OutgoingCall(method="DELETE", path="/x")
OK = Answer(200, {}, b"")


async def begun(journal, *, is_smalt=False, call=POST):
    """The entry of the first row that waits, its call out."""
    await journal.take_over()
    row = await anext(journal.waiting())
    entry = journal.entry(row, is_smalt=is_smalt)
    entry.prepare(call)
    await entry.start()
    return entry


async def test_a_row_is_started_while_its_call_is_out_and_not_between_attempts(kept):
    entry = await begun(await kept.add("a"))
    assert await kept.statuses() == ["started"]
    await entry.put_back()
    assert await kept.statuses() == ["pending"]
    await entry.start()
    await entry.succeed({"x": 1}, OK)
    (row,) = await kept.rows()
    assert (row.status, orjson.loads(row.result), row.status_code, row.error) == ("succeeded", {"x": 1}, 200, None)


@pytest.mark.parametrize(
    ("is_smalt", "call", "status"),
    [
        (True, POST, "pending"),
        (False, POST, "interrupted"),
        (False, GET, "pending"),
        (True, DELETE, "interrupted"),
    ],
)
async def test_a_call_that_a_kill_cut_off_is_repeated_only_where_that_does_no_harm(kept, is_smalt, call, status):
    entry = await begun(await kept.add("a", "b"), is_smalt=is_smalt, call=call)
    again = kept.journal()
    await again.take_over()
    assert await kept.statuses() == [status, "pending"]
    if status == "pending":
        assert again.entry(await anext(again.waiting()), is_smalt=is_smalt).idempotency_key == entry.idempotency_key


async def test_who_has_lost_the_run_begins_nothing_more(kept):
    entry = await begun(await kept.add("a"), is_smalt=True)
    await kept.journal().take_over()
    with pytest.raises(TakenOver):
        await entry.put_back()
    with pytest.raises(TakenOver):
        await entry.start()


@pytest.mark.parametrize("is_smalt", [True, False])
async def test_what_a_lost_worker_s_call_brings_late_is_taken_all_the_same(kept, is_smalt):
    late = await begun(await kept.add("a"), is_smalt=is_smalt)
    new = kept.journal()
    await new.take_over()
    rows = [row async for row in new.waiting()]
    await late.succeed({"x": 1}, OK)
    assert await kept.statuses() == ["succeeded"]
    for row in rows:
        with pytest.raises(RowEnded):
            await new.entry(row, is_smalt=is_smalt).start()


async def test_the_first_ending_stays(kept):
    entry = await begun(await kept.add("a"))
    await entry.succeed({"x": 1}, OK)
    await entry.fail(InvalidRequest("Too late."))
    assert await kept.statuses() == ["succeeded"]


async def test_rows_are_done_anew_with_a_new_key_only_where_an_answer_would_be_found_again(kept):
    journal = await kept.add("refused", "limited", "unsent", "interrupted", "fine")
    await journal.take_over()
    errors = [InvalidRequest("No."), RateLimited("Later."), InvalidRequest("Bad value."), Interrupted("Broke.")]
    keys = []
    async for row in journal.waiting():
        entry = journal.entry(row, is_smalt=True)
        keys.append(entry.idempotency_key)
        entry.prepare(POST)
        if row.input["subject"] != "unsent":
            await entry.start()
        await (entry.fail(errors[row.position]) if row.position < 4 else entry.succeed({}, OK))
    assert await kept.statuses() == ["failed", "failed", "failed", "interrupted", "succeeded"]
    assert await kept.runs.finish("run_1")

    await kept.runs.go_on("run_1", {}, again=["failed", "interrupted"])
    again = [journal.entry(row, is_smalt=True) async for row in journal.waiting()]
    assert [entry.row.position for entry in again] == [0, 1, 2, 3]
    assert again[0].idempotency_key not in keys
    assert [entry.idempotency_key for entry in again[1:]] == keys[1:4]


async def test_a_run_ends_when_all_its_rows_have(kept):
    entry = await begun(await kept.add("a"))
    assert not await kept.runs.finish("run_1")
    await entry.succeed({}, OK)
    assert await kept.runs.finish("run_1")
    assert (await kept.runs.get("run_1")).status == "finished"


async def test_a_run_and_its_rows_are_forgotten_together(kept):
    await kept.add("a", "b")
    await kept.runs.forget("run_1")
    assert await kept.rows() == []
    assert await kept.runs.list(10) == []


async def test_what_a_service_says_is_kept_whatever_is_in_it(kept):
    entry = await begun(await kept.add("a"))
    await entry.fail(InvalidRequest("No model 'a\0b\udcff'."))
    (row,) = await kept.rows()
    assert (row.status, row.error) == ("failed", "No model 'a\ufffdb?'.")


async def test_a_lost_worker_s_failure_does_not_end_what_a_later_one_has_begun(kept):
    late = await begun(await kept.add("a"), is_smalt=True)
    again = await begun(kept.journal(), is_smalt=True)
    await late.fail(InvalidRequest("Broken off."))
    assert await kept.statuses() == ["started"]
    await again.succeed({"x": 1}, OK)
    assert await kept.statuses() == ["succeeded"]


async def test_nothing_is_left_to_do_of_a_run_that_is_forgotten(kept):
    await kept.add("a")
    await kept.runs.forget("run_1")
    assert await kept.runs.finish("run_1")


async def test_a_result_waits_for_a_database_that_is_away(kept):
    class Away:
        def __init__(self):
            self.times = 2

        def __getattr__(self, name):
            return getattr(rows, name)

        async def end(self, *words):
            if self.times:
                self.times -= 1
                raise Unavailable("The disk is full.")
            await rows.end(*words)

    await kept.add("a")
    rows = ConnectorRunRows(kept.database, "run_1", "worker_1")
    await rows.take_over()
    (row,) = await rows.waiting(-1, 1)
    entry = Entry(Away(), "run_1", row, is_smalt=False, pauses=(0, 0))
    await entry.start()
    await entry.succeed({"x": 1}, OK)
    assert await kept.statuses() == ["succeeded"]
