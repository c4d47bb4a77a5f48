"""How conversations and their items are kept, paged and forgotten."""

import asyncio
import re

import pytest
import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.store.conversations import Conversations, add_items
from smalt.store.cursors import Slice
from smalt.store.tables import conversation_items
from smalt.store.tables import conversations as table


@pytest.fixture
def conversations(database):
    return Conversations(database)


def message(name, text="Hi \u2603"):
    content = [{"type": "input_text", "text": text}]
    return {"id": f"msg_{name}", "type": "message", "status": "completed", "role": "user", "content": content}


def messages(*names):
    return [message(name) for name in names]


def names(items):
    return "".join(item["id"].removeprefix("msg_") for item in items)


async def paged(conversations, made, **options):
    page = await conversations.page("shop", made.id, Slice(**options))
    return names(page.items), page.has_more


async def test_a_conversation_comes_back_with_its_items_as_they_were(conversations):
    made = await conversations.create("shop", messages("a", "b"), {"b": "1", "a": "2"})
    assert re.fullmatch(r"conv_[0-9a-f]{48}", made.id)
    assert now() - 5 <= made.created_at <= now()
    assert await conversations.get("shop", made.id) == made
    assert list(made.metadata.items()) == [("b", "1"), ("a", "2")]
    assert await conversations.items("shop", made.id) == messages("a", "b")
    assert await conversations.item("shop", made.id, "msg_b") == message("b")


async def test_metadata_is_replaced(conversations):
    made = await conversations.create("shop", [], {"a": "1"})
    changed = await conversations.update("shop", made.id, {"b": "2"})
    assert changed.metadata == {"b": "2"}
    assert (await conversations.get("shop", made.id)).metadata == {"b": "2"}


async def test_another_project_sees_nothing(conversations, database):
    made = await conversations.create("shop", messages("a"), {})
    for seeing in (
        conversations.get("other", made.id),
        conversations.update("other", made.id, {}),
        conversations.delete("other", made.id),
        conversations.add("other", made.id, messages("b")),
        conversations.page("other", made.id, Slice()),
        conversations.item("other", made.id, "msg_a"),
        conversations.delete_item("other", made.id, "msg_a"),
    ):
        with pytest.raises(NotFound, match=made.id) as missing:
            await seeing
        assert missing.value.param == "conversation_id"
    with pytest.raises(NotFound) as missing:
        await conversations.items("other", made.id)
    assert missing.value.param == "conversation"
    assert await conversations.find_items("other", ["msg_a"]) == {}
    await database.write(lambda connection: add_items(connection, "other", made.id, messages("b")))
    assert names(await conversations.items("shop", made.id)) == "a"


async def test_pages_follow_each_other_in_both_orders(conversations):
    made = await conversations.create("shop", messages("a", "b"), {})
    await conversations.add("shop", made.id, messages("e", "c"))
    await conversations.add("shop", made.id, messages("d"))
    assert await paged(conversations, made) == ("dceba", False)
    assert await paged(conversations, made, limit=2) == ("dc", True)
    assert await paged(conversations, made, limit=2, after="msg_c") == ("eb", True)
    assert await paged(conversations, made, limit=2, order="asc", after="msg_b") == ("ec", True)
    assert await paged(conversations, made, limit=2, order="asc", after="msg_c") == ("d", False)
    with pytest.raises(NotFound, match="No conversation item has the id 'msg_x'"):
        await paged(conversations, made, after="msg_x")


async def test_items_keep_their_order_when_the_clock_goes_back(conversations, database):
    made = await conversations.create("shop", messages("a"), {})
    ahead = now() + 1000
    await database.write(lambda connection: connection.execute(sa.update(table).values(last_item_at=ahead)))
    await conversations.add("shop", made.id, messages("b"))
    await conversations.add("shop", made.id, messages("c"))
    assert await paged(conversations, made, order="asc") == ("abc", False)
    assert names(await conversations.items("shop", made.id)) == "abc"


async def test_a_deleted_item_is_gone_and_paging_goes_on_behind_it(conversations, database):
    made = await conversations.create("shop", messages("a", "b", "c"), {})
    assert await conversations.delete_item("shop", made.id, "msg_b") == made
    assert names(await conversations.items("shop", made.id)) == "ac"
    assert await paged(conversations, made, order="asc", after="msg_b") == ("c", False)
    for missing in (
        conversations.item("shop", made.id, "msg_b"),
        conversations.delete_item("shop", made.id, "msg_b"),
    ):
        with pytest.raises(NotFound, match="'msg_b' not found") as error:
            await missing
        assert error.value.param == "item_id"
    kept = sa.select(conversation_items.c.id).where(conversation_items.c.item.is_not(None))
    assert await database.read(lambda connection: connection.execute(kept).scalars().all()) == ["msg_a", "msg_c"]
    await conversations.add("shop", made.id, messages("b"))
    assert names(await conversations.items("shop", made.id)) == "acb"


async def test_an_id_that_is_there_already_adds_nothing_at_all(conversations):
    made = await conversations.create("shop", messages("a"), {})
    with pytest.raises(InvalidRequest, match="Duplicate item found with id 'msg_a'") as refusal:
        await conversations.add("shop", made.id, messages("b", "a"))
    assert refusal.value.param == "items[1].id"
    with pytest.raises(InvalidRequest, match="'msg_c'"):
        await conversations.create("shop", messages("c", "c"), {})
    assert names(await conversations.items("shop", made.id)) == "a"
    again = await conversations.create("shop", messages("a"), {})
    assert names(await conversations.items("shop", again.id)) == "a"


async def test_the_end_of_a_response_may_add_its_items_twice(conversations, database):
    made = await conversations.create("shop", messages("a"), {})
    for _ in range(2):
        await database.write(lambda connection: add_items(connection, "shop", made.id, messages("b", "c", "b")))
    assert names(await conversations.items("shop", made.id)) == "abc"


async def test_a_deleted_conversation_takes_its_items_along_and_gets_no_more(conversations, database):
    made = await conversations.create("shop", messages("a"), {})
    kept = await conversations.create("shop", messages("a", "b"), {})
    await conversations.delete("shop", made.id)
    await database.write(lambda connection: add_items(connection, "shop", made.id, messages("b")))
    with pytest.raises(NotFound):
        await conversations.get("shop", made.id)
    count = sa.select(sa.func.count()).select_from(conversation_items)
    assert await database.read(lambda connection: connection.execute(count).scalar_one()) == 2
    assert names(await conversations.items("shop", kept.id)) == "ab"


async def test_items_are_found_over_all_conversations_of_a_project(conversations):
    one = await conversations.create("shop", [message("a", "old"), message("b")], {})
    await conversations.create("shop", [message("a", "new")], {})
    await conversations.create("other", messages("c"), {})
    await conversations.delete_item("shop", one.id, "msg_b")
    assert await conversations.find_items("shop", ["msg_a", "msg_b", "msg_c"]) == {"msg_a": message("a", "new")}
    assert await conversations.find_items("shop", []) == {}


async def test_items_that_are_added_together_stay_together(conversations, store_url):
    from smalt.store.database import Database

    made = await conversations.create("shop", [], {})
    others = [Database.open(store_url) for _ in range(3)]
    added = [messages(*(f"{writer}{number}" for number in "012345678")) for writer in "xyz"]
    try:
        await asyncio.gather(
            *(Conversations(one).add("shop", made.id, items) for one, items in zip(others, added, strict=True))
        )
    finally:
        for one in others:
            await one.close()
    kept = names(await conversations.items("shop", made.id))
    assert sorted(kept[at : at + 18] for at in (0, 18, 36)) == [names(items) for items in added]
