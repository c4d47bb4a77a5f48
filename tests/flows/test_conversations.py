"""Conversations through the SDK: every operation on every mount, its limits and its errors."""

import asyncio
import time

import agents
import httpx2
import openai
import pytest

from serving import new_key
from smalt.schemas.vocabulary import check_answer

HELLO = {"type": "message", "role": "user", "content": "Hello!"}


@pytest.fixture
def ask(echo_server):
    """Sends a request as it is written, with a key of the project."""
    headers = {"api-key": echo_server.key}
    with httpx2.Client(base_url=echo_server.url, headers=headers) as client:
        yield client.request


def refused(error):
    return error.value.status_code, error.value.body["param"], error.value.body["message"]


def says(item):
    return item.content[0].text


def test_a_conversation_is_made_read_changed_and_deleted(client):
    before = int(time.time())
    made = client.conversations.create(items=[HELLO], metadata={"topic": "demo"})
    assert made.object == "conversation"
    assert made.created_at >= before
    assert made.metadata == {"topic": "demo"}
    assert client.conversations.retrieve(made.id) == made
    changed = client.conversations.update(made.id, metadata={"topic": "project-x"})
    assert changed.model_dump() == {**made.model_dump(), "metadata": {"topic": "project-x"}}
    assert client.conversations.update(made.id, metadata=None).metadata == {}
    deleted = client.conversations.delete(made.id)
    assert deleted.model_dump() == {"id": made.id, "deleted": True, "object": "conversation.deleted"}
    for gone in (
        lambda: client.conversations.retrieve(made.id),
        lambda: client.conversations.update(made.id, metadata={}),
        lambda: client.conversations.delete(made.id),
        lambda: client.conversations.items.list(made.id),
        lambda: client.conversations.items.create(made.id, items=[HELLO]),
    ):
        with pytest.raises(openai.NotFoundError) as error:
            gone()
        assert refused(error) == (404, "conversation_id", f"Conversation with id '{made.id}' not found.")


def test_a_text_becomes_a_message_with_parts(client):
    made = client.conversations.create(items=[HELLO])
    added = client.conversations.items.create(
        made.id, items=[{"role": "assistant", "content": "Good day."}, {"role": "developer", "content": "Be kind."}]
    )
    first, second = added.data
    assert first.model_dump(exclude_unset=True) == {
        "id": first.id,
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Good day.", "annotations": [], "logprobs": []}],
    }
    assert second.content[0].model_dump(exclude_unset=True) == {"type": "input_text", "text": "Be kind."}
    assert (added.first_id, added.last_id, added.has_more) == (first.id, second.id, False)
    assert [says(item) for item in client.conversations.items.list(made.id, order="asc")] == [
        "Hello!",
        "Good day.",
        "Be kind.",
    ]


def test_items_are_read_and_taken_out(client):
    made = client.conversations.create(items=[HELLO, HELLO], metadata={"a": "b"})
    one, two = client.conversations.items.list(made.id, order="asc").data
    assert client.conversations.items.retrieve(one.id, conversation_id=made.id) == one
    assert client.conversations.items.delete(one.id, conversation_id=made.id) == made
    assert [item.id for item in client.conversations.items.list(made.id)] == [two.id]
    for gone in (
        lambda: client.conversations.items.retrieve(one.id, conversation_id=made.id),
        lambda: client.conversations.items.delete(one.id, conversation_id=made.id),
    ):
        with pytest.raises(openai.NotFoundError) as error:
            gone()
        assert refused(error)[:2] == (404, "item_id")


def test_the_list_iterates_over_every_item_the_last_added_first(client):
    made = client.conversations.create(items=[{**HELLO, "content": str(number)} for number in range(3)])
    client.conversations.items.create(made.id, items=[{**HELLO, "content": str(number)} for number in (3, 4)])
    assert "".join(says(item) for item in client.conversations.items.list(made.id, limit=2)) == "43210"
    assert "".join(says(item) for item in client.conversations.items.list(made.id, limit=2, order="asc")) == "01234"
    page = client.conversations.items.list(made.id, limit=2)
    assert (page.has_more, page.last_id, [says(item) for item in page.data]) == (True, page.data[1].id, ["4", "3"])


ITEMS = [
    {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "Blue."},
    {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_image", "file_id": "file-1"}]},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
    {"type": "file_search_call", "queries": ["smalt"]},
    {"type": "web_search_call", "action": {"type": "search", "query": "smalt"}},
    {"type": "code_interpreter_call", "container_id": "cntr_1", "code": "1 + 1"},
    {"type": "image_generation_call", "result": "aGVsbG8="},
    {"type": "computer_call", "call_id": "call_2", "action": {"type": "screenshot"}, "pending_safety_checks": []},
    {
        "type": "computer_call_output",
        "call_id": "call_2",
        "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,aGVsbG8="},
    },
    {
        "type": "local_shell_call",
        "call_id": "call_3",
        "action": {"type": "exec", "command": ["ls"], "env": {}},
    },
    {"type": "mcp_list_tools", "server_label": "far", "tools": [{"name": "look", "input_schema": {"type": "object"}}]},
    {"type": "mcp_call", "server_label": "far", "name": "look", "arguments": "{}"},
    {"type": "mcp_approval_request", "server_label": "far", "name": "look", "arguments": "{}"},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "See"},
            {"type": "input_image", "image_url": "https://example.com/a.png"},
            {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8="},
        ],
    },
    {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["type"])
def test_an_item_of_any_type_is_kept_as_the_reference_shows_it(ask, item):
    made = ask("POST", "/v1/conversations", json={}).json()
    added = ask("POST", f"/v1/conversations/{made['id']}/items", json={"items": [{**item, "unheard_of": 1}]})
    assert added.status_code == 200, added.text
    check_answer("ConversationItemList", added.json())
    (kept,) = added.json()["data"]
    assert kept["type"] == item["type"]
    assert "unheard_of" not in kept
    listed = ask("GET", f"/v1/conversations/{made['id']}/items").json()
    check_answer("ConversationItemList", listed)
    assert listed["data"] == [kept]


def test_what_is_large_or_private_is_shown_on_demand(ask):
    picture = {"type": "input_image", "image_url": "https://example.com/a.png"}
    found = {"file_id": "file-1", "filename": "a.txt", "score": 0.5, "text": "Blue."}
    items = [
        {"type": "message", "role": "user", "content": [picture]},
        {"type": "file_search_call", "queries": ["smalt"], "results": [found]},
    ]
    made = ask("POST", "/v1/conversations", json={"items": items}).json()
    path = f"/v1/conversations/{made['id']}/items"
    plain = ask("GET", path, params={"order": "asc"}).json()["data"]
    assert (plain[0]["content"][0]["image_url"], plain[1]["results"]) == (None, None)
    wanted = ["message.input_image.image_url", "file_search_call.results"]
    for name in ("include", "include[]"):
        shown = ask("GET", path, params={"order": "asc", name: wanted})
        check_answer("ConversationItemList", shown.json())
        one, two = shown.json()["data"]
        assert one["content"][0]["image_url"] == picture["image_url"]
        assert two["results"][0]["text"] == "Blue."
        assert ask("GET", f"{path}/{two['id']}", params={name: wanted}).json() == two
    wrong = ask("GET", path, params={"include": "everything"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "include[0]")


def test_an_item_of_another_conversation_is_taken_over_by_reference(client):
    old = client.conversations.create(items=[HELLO])
    (item,) = client.conversations.items.list(old.id).data
    reference = {"type": "item_reference", "id": item.id}
    new = client.conversations.create(items=[reference])
    client.conversations.delete(old.id)
    assert client.conversations.items.list(new.id).data == [item]
    with pytest.raises(openai.BadRequestError) as twice:
        client.conversations.items.create(new.id, items=[HELLO, reference])
    assert refused(twice)[:2] == (400, "items[1].id")
    assert len(client.conversations.items.list(new.id).data) == 1
    with pytest.raises(openai.NotFoundError) as missing:
        client.conversations.create(items=[{"type": "item_reference", "id": "msg_nowhere"}])
    assert refused(missing)[:2] == (404, "items[0].id")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": [HELLO] * 21}, "items"),
        ({"items": [{"type": "poem"}]}, "items[0].type"),
        ({"items": [{**HELLO, "role": "tool"}]}, "items[0].role"),
        ({"items": [HELLO, {"role": "user", "content": [{"type": "input_image"}]}]}, "items[1].content[0]"),
        ({"items": [{**HELLO, "id": "m" * 65}]}, "items[0].id"),
        ({"items": [{**HELLO, "id": "msg_1"}, {**HELLO, "id": "msg_1"}]}, "items[1].id"),
        ({"metadata": {"key": "x" * 513}}, "metadata.key"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(ask, body, param):
    answer = ask("POST", "/v1/conversations", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text


def test_metadata_must_be_there_for_a_change_and_items_for_an_addition(ask):
    made = ask("POST", "/v1/conversations", json={}).json()
    for path, param in (("", "metadata"), ("/items", "items")):
        answer = ask("POST", f"/v1/conversations/{made['id']}{path}", json={})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    empty = ask("POST", f"/v1/conversations/{made['id']}/items", json={"items": []})
    assert (empty.status_code, empty.json()["error"]["param"]) == (400, "items")


@pytest.mark.parametrize(
    ("mount", "version"), [("/v1", None), ("/openai/v1", "preview"), ("/openai", "2025-04-01-preview")]
)
def test_every_mount_has_conversations_in_the_form_of_the_reference(ask, mount, version):
    def send(method, path, **options):
        answer = ask(method, mount + path, params={"api-version": version} if version else None, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    made = send("POST", "/conversations")
    check_answer("ConversationResource", made)
    path = f"/conversations/{made['id']}"
    added = send("POST", f"{path}/items", json={"items": [HELLO]})
    item = added["data"][0]["id"]
    check_answer("ConversationItemList", added)
    check_answer("ConversationItem", send("GET", f"{path}/items/{item}"))
    check_answer("ConversationResource", send("DELETE", f"{path}/items/{item}"))
    check_answer("ConversationItemList", send("GET", f"{path}/items"))
    check_answer("ConversationResource", send("POST", path, json={"metadata": {"a": "b"}}))
    check_answer("ConversationResource", send("GET", path))
    check_answer("DeletedConversationResource", send("DELETE", path))


def test_another_project_sees_nothing(client, echo_server):
    made = client.conversations.create(items=[HELLO])
    key = asyncio.run(new_key(echo_server.app.state.settings.data_dir, "other"))
    time.sleep(1.1)  # a server knows of a new key within a second
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=key, max_retries=0) as other:
        with pytest.raises(openai.NotFoundError):
            other.conversations.retrieve(made.id)
        (item,) = client.conversations.items.list(made.id).data
        with pytest.raises(openai.NotFoundError):
            other.conversations.create(items=[{"type": "item_reference", "id": item.id}])
    assert client.conversations.retrieve(made.id) == made


def texts(client, conversation):
    return [says(item) for item in client.conversations.items.list(conversation.id, order="asc")]


def test_a_response_goes_on_with_a_conversation_and_adds_to_it(client):
    made = client.conversations.create(items=[{"role": "user", "content": "Hello!"}])
    # An echo says the last thing again that it was told.
    one = client.responses.create(model="echo", conversation=made.id)
    assert one.output_text == "Hello!"
    assert one.conversation.id == made.id
    two = client.responses.create(model="echo", conversation={"id": made.id}, input="Good bye!")
    assert two.usage.input_tokens > one.usage.input_tokens
    assert texts(client, made) == ["Hello!", "Hello!", "Good bye!", "Good bye!"]
    items = client.conversations.items.list(made.id, order="asc").data
    assert [item.role for item in items] == ["user", "assistant", "user", "assistant"]
    assert [items[1].id, items[3].id] == [one.output[0].id, two.output[0].id]
    before = client.responses.input_items.list(two.id, order="asc").data
    assert [item.id for item in before] == [item.id for item in items[:3]]


def test_a_streamed_response_adds_to_its_conversation(client):
    made = client.conversations.create()
    for event in client.responses.create(model="echo", conversation=made.id, input="Hello there!", stream=True):
        if event.type == "response.completed":
            break
    until = time.monotonic() + 5
    while len(texts(client, made)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert texts(client, made) == ["Hello there!", "Hello there!"]


def test_what_a_conversation_holds_is_not_what_was_taken_out(client):
    made = client.conversations.create(items=[{"role": "user", "content": text} for text in ("One", "Two")])
    last, _ = client.conversations.items.list(made.id).data
    client.conversations.items.delete(last.id, conversation_id=made.id)
    assert client.responses.create(model="echo", conversation=made.id).output_text == "One"


def test_a_response_outlives_its_conversation(client):
    made = client.conversations.create()
    answer = client.responses.create(model="echo", conversation=made.id, input="Hello!")
    client.conversations.delete(made.id)
    assert client.responses.retrieve(answer.id).output_text == "Hello!"
    assert [says(item) for item in client.responses.input_items.list(answer.id)] == ["Hello!"]
    with pytest.raises(openai.NotFoundError) as gone:
        client.responses.create(model="echo", conversation=made.id, input="Are you there?")
    assert refused(gone)[:2] == (404, "conversation")


def test_a_response_that_fails_adds_nothing(client):
    made = client.conversations.create()
    answer = client.responses.create(model="fragile", conversation=made.id, input="one two three four")
    assert answer.status == "failed"
    assert texts(client, made) == []


def test_a_session_of_the_agents_sdk_keeps_its_items_in_a_conversation(echo_server):
    async def talk(sdk):
        session = agents.OpenAIConversationsSession(openai_client=sdk)
        agent = agents.Agent(name="echo", model=agents.OpenAIResponsesModel("echo", sdk))
        silent = agents.RunConfig(tracing_disabled=True)
        said = [(await agents.Runner.run(agent, text, session=session, run_config=silent)) for text in ("One", "Two")]
        kept = [(item["role"], item["content"][0]["text"]) for item in await session.get_items()]
        await session.pop_item()
        left = len(await session.get_items())
        await session.clear_session()
        return [one.final_output for one in said], kept, left

    async def talk_and_close():
        async with openai.AsyncOpenAI(base_url=f"{echo_server.url}/v1", api_key=echo_server.key, max_retries=0) as sdk:
            return await talk(sdk)

    said, kept, left = asyncio.run(talk_and_close())
    assert said == ["One", "Two"]
    assert kept == [("user", "One"), ("assistant", "One"), ("user", "Two"), ("assistant", "Two")]
    assert left == 3
