"""How a request is understood: what came before it, what it names, and the object that it begins as."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from asked_plans import FIRST
from documents import pdf
from planning_rooms import keep_file, planning_rooms
from smalt.api.responses.messages import chat_request
from smalt.api.responses.plan import Plan
from smalt.api.responses.planning import Planner
from smalt.core.errors import ApiError, InvalidRequest, ModelNotFound, NotFound
from smalt.core.ids import item_id
from smalt.schemas.responses import AzureCreateResponse
from smalt.schemas.vocabulary import check_answer
from smalt.store.conversations import Conversations
from smalt.store.prompts import NewPromptVersion, Prompts
from smalt.store.responses import NewResponse, Responses
from smalt.tools.protocols import TOLD

LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
MCP = {"type": "mcp", "server_label": "m", "server_url": "http://127.0.0.1:9/mcp", "headers": {"X-Key": "hidden-word"}}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
SEARCH = {
    "type": "file_search_call",
    "status": "completed",
    "queries": ["cats"],
    "results": None,
    TOLD: {"name": "file_search", "arguments": "{}", "output": "Cats purr."},
}


@pytest.fixture
async def rooms(tmp_path):
    async with planning_rooms(tmp_path) as rooms:
        yield rooms


async def planned(rooms: Any, sent: Any = "Hi", *, is_azure: bool = False, project: str = "p", **fields: Any) -> Plan:
    asked = {"model": "talker", **({} if sent is None else {"input": sent}), **fields}
    body = AzureCreateResponse.model_validate(asked)
    return await Planner(rooms).plan(body, project, is_azure=is_azure)


async def refused(rooms: Any, sent: Any = "Hi", **fields: Any) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        await planned(rooms, sent, **fields)
    return refusal.value


async def kept(rooms: Any, plan: Plan, *output: dict[str, Any], status: str = "completed") -> str:
    """Keep the response of a plan with this output; its id."""
    numbers = count(1)
    items = [{"id": item_id(f"it{next(numbers)}_", plan.id), **item} for item in output]
    responses = Responses(rooms.database, rooms.jobs)
    new = NewResponse(
        id=plan.id,
        project=plan.project,
        created_at=plan.response["created_at"],
        model="talker",
        body=plan.request.model_dump(exclude_unset=True, by_alias=True),
        response=plan.response,
        input=plan.input,
        previous_response_id=plan.request.previous_response_id,
        conversation_id=plan.conversation_id,
        is_background=plan.is_background,
        key_id="k",
        key_name="k",
    )
    await responses.begin(new)
    if status != "in_progress":
        await responses.finish(plan.project, plan.id, {**plan.response, "status": status, "output": items})
    return plan.id


def said(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {"type": "message", "role": "assistant", "status": "completed", "content": content}


def told(plan: Plan) -> list[tuple[str, Any]]:
    return [(message.role, message.content) for message in chat_request(plan, [], FIRST).messages]


async def test_the_object_begins_with_every_field_of_an_answer(rooms):
    plan = await planned(rooms)
    check_answer("AzureResponse", plan.response)
    assert (plan.response["status"], plan.response["model"]) == ("in_progress", "echo-1")
    assert plan.id == plan.response["id"]


async def test_the_object_says_what_was_asked(rooms):
    asked: dict[str, Any] = {
        "instructions": "Rhyme.",
        "max_output_tokens": 20,
        "max_tool_calls": 3,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "service_tier": "default",
        "temperature": 0.0,
        "tool_choice": {"type": "function", "name": "look"},
        "top_logprobs": 2,
        "top_p": 0.5,
        "truncation": "auto",
        "user": "me",
    }
    text = {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}}
    plan = await planned(rooms, is_azure=True, tools=[LOOK], text=text, reasoning={"effort": "low"}, **asked)
    check_answer("AzureResponse", plan.response)
    assert {name: plan.response[name] for name in asked} == asked
    assert plan.response["model"] == "talker"
    assert plan.response["content_filters"] is None
    assert plan.response["reasoning"] == {"effort": "low", "summary": None}
    assert plan.response["text"]["format"] == {"description": None, **text["format"]}
    assert plan.response["tools"] == [{**LOOK, "description": None, "strict": False}]
    assert plan.include == {"message.output_text.logprobs"}


async def test_tools_are_shown_with_what_holds_and_without_secrets(rooms):
    plan = await planned(rooms, tools=[{"type": "local_shell"}, MCP])
    check_answer("AzureResponse", plan.response)
    shown = plan.response["tools"][1]
    assert shown["require_approval"] == "always"
    assert "hidden-word" not in str(plan.response)
    assert len(plan.tools) == 2


async def test_a_response_in_the_background_waits_for_its_turn(rooms):
    plan = await planned(rooms, background=True)
    assert (plan.is_background, plan.response["status"], plan.response["background"]) == (True, "queued", True)


async def test_a_response_goes_on_from_all_that_was_said_before_but_its_instructions(rooms):
    first = await kept(rooms, await planned(rooms, "One", instructions="Rhyme.", tools=[LOOK]), SEARCH, CALL)
    again = await planned(rooms, [RESULT], previous_response_id=first)
    second = await kept(rooms, again, said("Two"))
    plan = await planned(rooms, "Three", previous_response_id=second)
    assert told(plan) == [
        ("user", "One"),
        ("assistant", None),
        ("tool", "Cats purr."),
        ("assistant", None),
        ("tool", "seen"),
        ("assistant", "Two"),
        ("user", "Three"),
    ]
    assert plan.response["previous_response_id"] == second
    assert plan.response["instructions"] is None
    assert [item["type"] for item in plan.input] == ["message"]


async def test_a_call_of_the_previous_response_must_be_answered(rooms):
    first = await kept(rooms, await planned(rooms, tools=[LOOK]), CALL)
    error = await refused(rooms, "And?", previous_response_id=first)
    assert "No tool output found for function call call_1" in error.message


@pytest.mark.parametrize("status", ["in_progress", None])
async def test_what_is_not_there_or_not_done_cannot_be_gone_on_from(rooms, status):
    previous = await kept(rooms, await planned(rooms), status=status) if status else "resp_none"
    error = await refused(rooms, previous_response_id=previous)
    assert (error.status, error.param) == (400, "previous_response_id")


async def test_another_project_s_response_is_not_there(rooms):
    first = await kept(rooms, await planned(rooms))
    error = await refused(rooms, previous_response_id=first, project="other")
    assert error.code == "previous_response_not_found"


@pytest.mark.parametrize("as_object", [False, True])
async def test_a_conversation_is_gone_on_with(rooms, as_object):
    conversations = Conversations(rooms.database)
    item = {"id": "msg_a", **said("Welcome.")}
    made = await conversations.create("p", [item], {})
    plan = await planned(rooms, conversation={"id": made.id} if as_object else made.id)
    assert told(plan) == [("assistant", "Welcome."), ("user", "Hi")]
    assert plan.conversation_id == made.id
    assert plan.response["conversation"] == {"id": made.id}
    check_answer("AzureResponse", plan.response)
    assert (await refused(rooms, conversation="conv_none")).param == "conversation"


async def test_a_reference_becomes_the_stored_item_it_names(rooms):
    first = await planned(rooms, "One")
    await kept(rooms, first, SEARCH)
    stored = await Responses(rooms.database, rooms.jobs).get("p", first.id)
    wanted = [first.input[0]["id"], stored.response["output"][0]["id"]]
    plan = await planned(rooms, [{"type": "item_reference", "id": one} for one in wanted])
    assert told(plan) == [("user", "One"), ("assistant", None), ("tool", "Cats purr.")]
    for project, item in (("other", wanted[0]), ("p", "msg_none"), ("p", f"msg_{wanted[0].partition('_')[2][:20]}")):
        error = await refused(rooms, [{"type": "item_reference", "id": item}], project=project)
        assert (error.status, error.param) == (404, "input[0].id")


async def test_a_reference_to_what_the_conversation_holds_already_adds_nothing(rooms):
    first = await planned(rooms, "One")
    await kept(rooms, first, said("Two"))
    reference = {"type": "item_reference", "id": first.input[0]["id"]}
    plan = await planned(rooms, [reference, {"role": "user", "content": "Three"}], previous_response_id=first.id)
    assert told(plan) == [("user", "One"), ("assistant", "Two"), ("user", "Three")]


async def test_a_reference_finds_items_of_conversations_too(rooms):
    await Conversations(rooms.database).create("p", [{"id": "msg_a", **said("Welcome.")}], {})
    plan = await planned(rooms, [{"type": "item_reference", "id": "msg_a"}, {"role": "user", "content": "Hi"}])
    assert told(plan) == [("assistant", "Welcome."), ("user", "Hi")]


async def test_a_template_brings_instructions_messages_and_defaults(rooms):
    picture = {"type": "input_image", "image_url": "https://a.example/b.png"}
    version = NewPromptVersion(
        instructions="Be {{manner}}.",
        messages=[{"role": "user", "content": "Look at {{what}}"}],
        defaults={"temperature": 0.5, "max_output_tokens": 30, "tools": [LOOK]},
    )
    prompt = await Prompts(rooms.database).add("p", "looking", version)
    asked = {"id": "looking", "variables": {"manner": "kind", "what": picture}}
    plan = await planned(rooms, "Well?", prompt=asked, temperature=0.9)
    assert [role for role, _ in told(plan)] == ["system", "user", "user"]
    assert told(plan)[0] == ("system", "Be kind.")
    assert [part.type for part in told(plan)[1][1]] == ["text", "image_url"]
    assert (plan.request.temperature, plan.request.max_output_tokens) == (0.9, 30)
    assert list(plan.client_functions) == ["look"]
    assert plan.response["instructions"] == "Be kind."
    assert plan.response["prompt"]["id"] == prompt.id
    assert plan.response["prompt"]["version"] == "1"
    check_answer("AzureResponse", plan.response)
    own = await planned(rooms, None, prompt=asked, instructions="Rhyme.")
    assert told(own)[0] == ("system", "Rhyme.")


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        ({"id": "none"}, "prompt.id"),
        ({"id": "greeting", "version": "9"}, "prompt.version"),
        ({"id": "greeting"}, "prompt.variables.name"),
        ({"id": "greeting", "variables": {"name": "Ada", "age": "9"}}, "prompt.variables.age"),
        ({"id": "broken"}, "temperature"),
    ],
)
async def test_a_template_that_cannot_be_used_is_refused_by_field(rooms, prompt, param):
    prompts = Prompts(rooms.database)
    await prompts.add("p", "greeting", NewPromptVersion(instructions="Greet {{name}}."))
    await prompts.add("p", "broken", NewPromptVersion(defaults={"temperature": 9}))
    assert (await refused(rooms, prompt=prompt)).param == param


async def test_a_file_is_read_before_the_model_is_asked_and_stays_read(rooms):
    file_id = await keep_file(rooms, "cats.pdf", pdf("Cats purr."))
    sent = [{"role": "user", "content": [{"type": "input_file", "file_id": file_id}]}]
    first = await planned(rooms, sent)
    assert "Cats purr." in told(first)[0][1]
    await kept(rooms, first, said("So they do."))
    plan = await planned(rooms, "And dogs?", previous_response_id=first.id)
    assert "Cats purr." in told(plan)[0][1]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [LOOK], "tool_choice": {"type": "function", "name": "hear"}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "custom", "name": "free"}]}, "tools[0].type"),
        ({"tools": [LOOK, {**MCP, "server_url": "nowhere"}]}, "tools[1].server_url"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"model": "deaf"}, "model"),
        ({"store": False, "background": True}, "background"),
        ({"input": []}, "input"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_begins(rooms, fields, param):
    error = await refused(rooms, **{"sent": fields.pop("input", "Hi"), **fields})
    assert (error.status, error.param) == (400, param)


async def test_a_model_that_nobody_has_is_told_as_each_service_tells_it(rooms):
    with pytest.raises(ModelNotFound):
        await planned(rooms, model="nobody", is_azure=True)
    with pytest.raises(InvalidRequest) as refusal:
        await planned(rooms, model="nobody")
    assert (refusal.value.param, refusal.value.code) == ("model", "model_not_found")


async def test_an_answer_to_an_approval_that_nobody_asked_for_is_refused(rooms):
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_none", "approve": True}
    assert (await refused(rooms, [answer], tools=[MCP])).param == "input[0].approval_request_id"


async def test_a_job_plans_the_same_again(rooms):
    version = NewPromptVersion(instructions="Be kind.", messages=[{"role": "user", "content": "A picture:"}])
    prompts = Prompts(rooms.database)
    await prompts.add("p", "greeting", version)
    file_id = await keep_file(rooms, "cats.txt", b"Cats purr.")
    first = await kept(rooms, await planned(rooms, "One"), said("Two"))
    sent = [{"role": "user", "content": [{"type": "input_file", "file_id": file_id}]}]
    asked: dict[str, Any] = {"previous_response_id": first, "prompt": {"id": "greeting"}, "tools": [LOOK, MCP]}
    plan = await planned(rooms, sent, background=True, top_logprobs=1, **asked)
    await kept(rooms, plan, status="in_progress")
    await prompts.add("p", "greeting", NewPromptVersion(instructions="Be rude."))
    stored = await Responses(rooms.database, rooms.jobs).get("p", plan.id)
    again = await Planner(rooms).resumed(stored)
    assert chat_request(again, [], FIRST) == chat_request(plan, [], FIRST)
    assert replace(again, tools=[], context=[]) == replace(plan, tools=[], context=[])
    assert [tool.server_label for tool in again.tools] == ["m"]  # pyright: ignore[reportAttributeAccessIssue]


async def test_a_job_does_not_see_what_a_conversation_got_later(rooms):
    conversations = Conversations(rooms.database)
    made = await conversations.create("p", [{"id": "msg_a", **said("Welcome.")}], {})
    plan = await planned(rooms, "One", background=True, conversation=made.id)
    await kept(rooms, plan, status="in_progress")
    await conversations.add("p", made.id, [{"id": "msg_b", **said("Later.")}])
    again = await Planner(rooms).resumed(await Responses(rooms.database, rooms.jobs).get("p", plan.id))
    assert told(again) == [("assistant", "Welcome."), ("user", "One")]
    assert again.conversation_id == made.id


async def test_an_item_of_a_deleted_response_is_not_found(rooms):
    first = await planned(rooms, "One")
    await kept(rooms, first)
    await Responses(rooms.database, rooms.jobs).delete("p", first.id)
    with pytest.raises(NotFound):
        await planned(rooms, [{"type": "item_reference", "id": first.input[0]["id"]}])


async def test_a_field_that_nobody_honours_is_refused(rooms):
    refusal = await refused(rooms, reasoning={"odd": 1})
    assert (refusal.param, refusal.code) == ("reasoning.odd", "unknown_parameter")


async def test_what_is_nested_too_deep_to_be_kept_is_refused(rooms):
    parameters: dict[str, Any] = {}
    for _ in range(200):
        parameters = {"properties": parameters}
    refusal = await refused(rooms, tools=[{**LOOK, "parameters": parameters}])
    assert (refusal.param, refusal.code) == ("tools", "invalid_value")


async def test_a_tool_s_fault_is_named_by_its_place(rooms):
    refusal = await refused(rooms, tools=[LOOK, {**MCP, "connector_id": "connector_gmail"}])
    assert refusal.param == "tools[1].connector_id"


async def test_a_plan_knows_its_mount_also_when_it_is_made_again(rooms: Any):
    for is_azure in (True, False):
        plan = await planned(rooms, is_azure=is_azure, background=True)
        await kept(rooms, plan, status="in_progress")
        stored = await Responses(rooms.database, rooms.jobs).get("p", plan.id)
        assert (plan.is_azure, (await Planner(rooms).resumed(stored)).is_azure) == (is_azure, is_azure)


@pytest.mark.parametrize(
    ("wish", "param", "error"),
    [
        ({"model": "nobody"}, "moderation.model", ModelNotFound),
        ({"model": "deaf"}, "moderation.model", InvalidRequest),
        ({"model": "talker", "strength": 1}, "moderation.strength", InvalidRequest),
        ({"model": "talker", "policy": {"inputs": {"mode": "block"}}}, "moderation.policy.inputs", InvalidRequest),
    ],
)
async def test_what_cannot_be_moderated_is_refused_by_its_place(
    rooms: Any, wish: dict[str, Any], param: str, error: type[ApiError]
):
    refusal = await refused(rooms, moderation=wish)
    assert (refusal.param, type(refusal)) == (param, error)


async def test_a_moderated_request_is_moderated_again_when_it_is_gone_on_with(rooms: Any):
    plan = await planned(
        rooms, background=True, moderation={"model": "talker", "policy": {"output": {"mode": "block"}}}
    )
    assert plan.response["moderation"] is None
    await kept(rooms, plan, status="in_progress")
    again = await Planner(rooms).resumed(await Responses(rooms.database, rooms.jobs).get("p", plan.id))
    assert plan.moderation
    assert again.moderation
    assert again.moderation.blocks_output
