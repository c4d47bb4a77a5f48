"""How connections are kept."""

from dataclasses import replace

import pytest

from smalt.core.errors import Conflict, NotFound
from smalt.store.connections import StoredConnection, StoredConnections

MINE = StoredConnection(
    id="conn_1",
    name="mine",
    connector="openai-gpt",
    kind="default",
    base_url=None,
    is_smalt=False,
    fields={"organization_id": "org-é"},
    secret_names=["api_key"],
    secrets=bytes(range(256)),
    key_id="0123456789abcdef",
    created_at=1_800_000_000,
)


@pytest.fixture
def stored(database):
    return StoredConnections(database)


async def test_a_connection_is_found_by_its_name_and_its_id(stored):
    other = replace(MINE, id="conn_2", name="another", base_url="http://127.0.0.1:8080", is_smalt=True)
    await stored.add(MINE)
    await stored.add(other)
    assert await stored.get("mine") == await stored.get("conn_1") == MINE
    assert await stored.list() == [other, MINE]
    assert await stored.find("nobody") is None
    with pytest.raises(NotFound, match="There are: another, mine"):
        await stored.get("nobody")


async def test_a_name_is_taken_once(stored):
    await stored.add(MINE)
    with pytest.raises(Conflict, match="add mine --replace"):
        await stored.add(replace(MINE, id="conn_2"))
    assert await stored.list() == [MINE]


async def test_a_connection_changes_and_goes(stored):
    await stored.add(MINE)
    changed = replace(MINE, secrets=b"other", base_url="https://x.test")
    await stored.replace(changed)
    await stored.mark("conn_1", is_smalt=True)
    assert await stored.get("mine") == replace(changed, is_smalt=True)
    assert (await stored.remove("mine")).id == "conn_1"
    for gone in (stored.remove("mine"), stored.replace(MINE)):
        with pytest.raises(NotFound, match="There are: none"):
            await gone
