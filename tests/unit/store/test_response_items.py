"""Stored items are found by their own ids."""

import pytest

from smalt.core.clock import now
from smalt.core.ids import item_id, response_id
from smalt.jobs.queue import JobQueue
from smalt.store.response_items import ResponseItems
from smalt.store.responses import NewResponse, Responses


@pytest.fixture
def responses(database):
    return Responses(database, JobQueue())


async def kept(responses: Responses, *, project: str = "p") -> tuple[dict, dict]:
    """A finished response: its one item of input, and its one of output."""
    made = response_id()
    asked, said = ({"id": item_id("msg_", made), "type": "message", "role": role} for role in ("user", "assistant"))
    response = {"id": made, "status": "in_progress", "output": []}
    new = NewResponse(
        id=made,
        project=project,
        created_at=now(),
        model="m",
        body={},
        response=response,
        input=[asked],
        key_id="k",
        key_name="k",
    )
    await responses.begin(new)
    await responses.finish(project, made, {**response, "status": "completed", "output": [said]})
    return asked, said


async def test_items_of_input_and_output_of_any_response_are_found(database, responses):
    first, second = await kept(responses), await kept(responses)
    wanted = [second[1], first[0], second[0], first[1]]
    found = await ResponseItems(database).find_items("p", [item["id"] for item in wanted])
    assert list(found.values()) == wanted


async def test_what_is_not_there_is_left_out(database, responses):
    (asked, _), (foreign, _) = await kept(responses), await kept(responses, project="other")
    unknown = [
        foreign["id"],
        "msg_none",
        "",
        "x",
        f"{asked['id'][:-1]}",
        f"msg_{'%' * 50}",
        item_id("msg_", response_id()),
    ]
    assert await ResponseItems(database).find_items("p", [asked["id"], *unknown]) == {asked["id"]: asked}
    assert await ResponseItems(database).find_items("p", []) == {}
