"""How stored chat completions are kept, listed and forgotten."""

import pytest
import sqlalchemy as sa

from smalt.core.errors import NotFound
from smalt.store.stored_completions import StoredCompletions
from smalt.store.tables import stored_completion_metadata as labels
from smalt.store.tables import stored_completions

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi \u2603"}]


def completion(number, *, created=None, model="echo"):
    created = 1000 + number if created is None else created
    return {"id": f"chatcmpl-{number}", "created": created, "model": model, "choices": [{"index": 0}]}


@pytest.fixture
def stored(database):
    return StoredCompletions(database)


async def ids(stored, project="shop", **options):
    page = await stored.list(project, **options)
    return [item.id for item in page.items], page.has_more


async def fill(stored, count, **options):
    for number in range(count):
        await stored.add("shop", completion(number), messages=MESSAGES, **options)


async def test_a_stored_completion_comes_back_as_it_was(stored):
    await stored.add("shop", completion(1), messages=MESSAGES, metadata={"b": "1", "a": "2"})
    found = await stored.get("shop", "chatcmpl-1")
    assert found.completion == completion(1)
    assert list(found.metadata.items()) == [("b", "1"), ("a", "2")]
    assert (found.created_at, found.model) == (1001, "echo")


async def test_another_project_sees_nothing(stored):
    await fill(stored, 1)
    with pytest.raises(NotFound, match="store: true"):
        await stored.get("other", "chatcmpl-0")
    with pytest.raises(NotFound):
        await stored.delete("other", "chatcmpl-0")
    with pytest.raises(NotFound):
        await stored.update("other", "chatcmpl-0", {})
    with pytest.raises(NotFound):
        await stored.messages("other", "chatcmpl-0")
    assert await ids(stored, "other") == ([], False)


async def test_pages_follow_each_other_in_both_orders(stored):
    await fill(stored, 5)
    assert await ids(stored, limit=2) == (["chatcmpl-0", "chatcmpl-1"], True)
    assert await ids(stored, limit=3, after="chatcmpl-1") == (["chatcmpl-2", "chatcmpl-3", "chatcmpl-4"], False)
    assert await ids(stored, limit=2, order="desc") == (["chatcmpl-4", "chatcmpl-3"], True)
    assert await ids(stored, limit=2, order="desc", after="chatcmpl-1") == (["chatcmpl-0"], False)


async def test_completions_of_one_second_have_a_fixed_order(stored):
    for number in range(6):
        await stored.add("shop", completion(number, created=1000), messages=MESSAGES)
    seen, after, more = [], None, True
    while more:
        page, more = await ids(stored, limit=2, after=after)
        after = page[-1]
        seen += page
    assert seen == [f"chatcmpl-{number}" for number in range(6)]


async def test_what_is_added_while_paging_moves_nothing(stored):
    await fill(stored, 4)
    first, _ = await ids(stored, limit=2, order="desc")
    await stored.add("shop", completion(9), messages=MESSAGES)
    second, _ = await ids(stored, limit=2, order="desc", after=first[-1])
    assert first + second == ["chatcmpl-3", "chatcmpl-2", "chatcmpl-1", "chatcmpl-0"]


async def test_paging_goes_on_behind_a_deleted_completion(stored):
    await fill(stored, 3)
    await stored.delete("shop", "chatcmpl-0")
    assert await ids(stored, after="chatcmpl-0") == (["chatcmpl-1", "chatcmpl-2"], False)


async def test_paging_after_an_unknown_id_is_refused(stored):
    with pytest.raises(NotFound, match="chatcmpl-x"):
        await stored.list("shop", after="chatcmpl-x")


async def test_a_list_can_be_narrowed_by_model_and_metadata(stored):
    await stored.add("shop", completion(1, model="a"), messages=MESSAGES, metadata={"k": "1", "l": "x"})
    await stored.add("shop", completion(2, model="b"), messages=MESSAGES, metadata={"k": "1"})
    await stored.add("shop", completion(3, model="a"), messages=MESSAGES, metadata={"k": "2", 'odd"$.': "'"})
    assert await ids(stored, model="a") == (["chatcmpl-1", "chatcmpl-3"], False)
    assert await ids(stored, metadata={"k": "1"}) == (["chatcmpl-1", "chatcmpl-2"], False)
    assert await ids(stored, metadata={"k": "1", "l": "x"}) == (["chatcmpl-1"], False)
    assert await ids(stored, metadata={'odd"$.': "'"}) == (["chatcmpl-3"], False)
    assert await ids(stored, model="b", metadata={"k": "2"}) == ([], False)


async def test_updating_replaces_the_metadata(stored):
    await stored.add("shop", completion(1), messages=MESSAGES, metadata={"old": "1"})
    updated = await stored.update("shop", "chatcmpl-1", {"new": "2"})
    assert updated.metadata == {"new": "2"}
    assert (await stored.get("shop", "chatcmpl-1")) == updated
    assert await ids(stored, metadata={"old": "1"}) == ([], False)


async def test_a_deleted_completion_is_gone_with_its_content(stored, database):
    await stored.add("shop", completion(1), messages=MESSAGES, metadata={"k": "1"})
    await stored.delete("shop", "chatcmpl-1")
    with pytest.raises(NotFound):
        await stored.get("shop", "chatcmpl-1")
    with pytest.raises(NotFound):
        await stored.delete("shop", "chatcmpl-1")
    assert await ids(stored) == ([], False)
    content = sa.select(stored_completions.c.messages, stored_completions.c.completion)
    assert await database.read(lambda connection: connection.execute(content).all()) == [(None, None)]
    assert await database.read(lambda connection: connection.execute(sa.select(labels)).all()) == []


async def test_messages_are_paged_with_ids_of_their_own(stored):
    await fill(stored, 1)
    first = await stored.messages("shop", "chatcmpl-0", limit=1)
    assert [(item.id, item.message) for item in first.items] == [("chatcmpl-0-0", MESSAGES[0])]
    assert first.has_more
    second = await stored.messages("shop", "chatcmpl-0", after="chatcmpl-0-0")
    assert [item.message for item in second.items] == [MESSAGES[1]]
    assert not second.has_more
    backwards = await stored.messages("shop", "chatcmpl-0", order="desc", limit=1)
    assert [item.message for item in backwards.items] == [MESSAGES[1]]
    with pytest.raises(NotFound):
        await stored.messages("shop", "chatcmpl-0", after="chatcmpl-0-7")


async def test_one_id_is_stored_once(stored):
    await fill(stored, 1)
    with pytest.raises(sa.exc.IntegrityError):
        await fill(stored, 1)
