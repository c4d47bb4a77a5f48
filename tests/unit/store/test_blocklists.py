"""How block lists are kept."""

import pytest

from smalt.core.errors import Conflict, InvalidRequest, NotFound
from smalt.store.blocklists import LONGEST_TERM, MOST_ITEMS, BlocklistItem, Blocklists


@pytest.fixture
def blocklists(database):
    return Blocklists(database)


def terms(*texts):
    return [BlocklistItem(text) for text in texts]


async def test_a_list_holds_what_was_added_in_order_and_once(blocklists):
    await blocklists.create("rivals")
    assert await blocklists.add("rivals", terms("Acme", "Über Corp", "Acme")) == 2
    assert await blocklists.add("rivals", [BlocklistItem("Acme", is_regex=True), *terms("Acme")]) == 1
    found = await blocklists.get("rivals")
    assert found.items == [*terms("Acme", "Über Corp"), BlocklistItem("Acme", is_regex=True)]
    assert [one.name for one in await blocklists.list()] == ["rivals"]


async def test_only_what_is_named_is_removed(blocklists):
    await blocklists.create("rivals")
    await blocklists.add("rivals", [*terms("Acme", "Bolt"), BlocklistItem("Acme", is_regex=True)])
    assert await blocklists.remove("rivals", terms("Acme", "nobody")) == 1
    assert (await blocklists.get("rivals")).items == [*terms("Bolt"), BlocklistItem("Acme", is_regex=True)]


async def test_a_deleted_list_is_gone_with_its_items(blocklists):
    await blocklists.create("rivals")
    await blocklists.add("rivals", terms("Acme"))
    assert (await blocklists.delete("rivals")).items == terms("Acme")
    with pytest.raises(NotFound, match="There are: none"):
        await blocklists.get("rivals")
    await blocklists.create("rivals")
    assert (await blocklists.get("rivals")).items == []


async def test_a_name_is_given_once(blocklists):
    await blocklists.create("rivals")
    with pytest.raises(Conflict, match="smalt blocklists add rivals"):
        await blocklists.create("rivals")
    with pytest.raises(InvalidRequest, match="1 to 256"):
        await blocklists.create(" ")
    with pytest.raises(NotFound, match="There are: rivals"):
        await blocklists.add("others", terms("Acme"))


async def test_limits_are_said(blocklists):
    await blocklists.create("rivals")
    for item in (BlocklistItem(" "), BlocklistItem("a" * (LONGEST_TERM + 1))):
        with pytest.raises(InvalidRequest, match="A term of a block list has 1 to 128 characters"):
            await blocklists.add("rivals", [item])
    many = terms(*(f"term {number}" for number in range(MOST_ITEMS + 1)))
    with pytest.raises(InvalidRequest, match="up to 10000 items"):
        await blocklists.add("rivals", many)


async def test_every_change_is_seen_once(blocklists):
    first = await blocklists.changed_since(None)
    assert (first.revision, first.blocklists) == (0, [])
    assert await blocklists.changed_since(0) is None
    await blocklists.create("rivals")
    await blocklists.add("rivals", terms("Acme"))
    changed = await blocklists.changed_since(0)
    assert [one.items for one in changed.blocklists] == [terms("Acme")]
    await blocklists.add("rivals", terms("Acme"))
    assert await blocklists.changed_since(changed.revision) is None
    await blocklists.remove("rivals", terms("Acme"))
    assert await blocklists.changed_since(changed.revision) is not None
