"""What connections keep, what they refuse, and where their calls go."""

import logging

import pytest
import sqlalchemy as sa

from smalt.connectors.connections.cipher import SecretsUnreadable
from smalt.connectors.connections.key_places import KeyFile, KeyPlaces
from smalt.connectors.connections.service import Connections
from smalt.connectors.connections.target import bearer_is_added, local_target
from smalt.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from smalt.store.tables import connector_connections as table

SECRET = "sk-Quaint7Lapis9Smalt"
SEARCH_SECRET = "search-Azurite3Cobalt"


def bytes_of(folder):
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_a_secret_is_in_no_file_no_log_and_no_listing(add, connections, azure, settings, caplog):
    caplog.set_level(logging.DEBUG)
    made = await add(
        azure, resource="pigments", api_key=SECRET, search_endpoint="https://s.test", search_key=SEARCH_SECRET
    )
    target = await connections.target("mine", azure)
    assert (await target.headers()) == {"api-key": SECRET}
    told = f"{made}{await connections.list()}{await connections.get('mine')}{target!r}{caplog.text}"
    for secret in (SECRET, SEARCH_SECRET):
        assert secret not in told
        assert secret.encode() not in bytes_of(settings.data_dir)
    assert b"pigments" in bytes_of(settings.data_dir), "the search looks where the row is"
    assert made.secret_names == ["api_key", "search_key"]
    assert made.fields == {"resource": "pigments", "search_endpoint": "https://s.test"}


async def test_equal_secrets_are_stored_differently(add, openai, database):
    await add(openai, "one", api_key=SECRET)
    await add(openai, "two", api_key=SECRET)
    stored = await database.read(lambda connection: connection.execute(sa.select(table.c.secrets)).scalars().all())
    assert len({secret[-16:] for secret in stored}) == 2


async def test_a_key_file_that_others_may_read_is_refused(add, connections, openai, settings):
    await add(openai, api_key=SECRET)
    file = settings.data_dir / "connections.key"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(PermissionDenied, match=r"mode is 640.*chmod 600"):
        await connections.target("mine", openai)
    with pytest.raises(PermissionDenied, match="chmod 600"):
        await add(openai, "other", api_key=SECRET)
    file.chmod(0o600)
    assert (await (await connections.target("mine", openai)).headers())["Authorization"] == f"Bearer {SECRET}"


async def test_another_key_file_opens_nothing_and_says_what_to_do(add, connections, openai, settings, tmp_path):
    await add(openai, api_key=SECRET)
    file = settings.data_dir / "connections.key"
    kept = file.read_bytes()
    file.unlink()
    for _ in range(2):
        with pytest.raises(SecretsUnreadable, match=r"Put the key file back to .*connections add mine --replace"):
            await connections.target("mine", openai)
        KeyFile(file).make()
    assert [one.name for one in await connections.list()] == ["mine"]
    await add(openai, replace=True, api_key="sk-new")
    assert (await (await connections.target("mine", openai)).headers())["Authorization"] == "Bearer sk-new"
    file.write_bytes(kept)
    with pytest.raises(SecretsUnreadable):
        await connections.target("mine", openai)


async def test_a_damaged_key_file_is_not_taken_for_a_key(add, openai, settings):
    await add(openai, api_key=SECRET)
    file = settings.data_dir / "connections.key"
    for damage in (b"", b"c2hvcnQ=\n", b"\xff not base64"):
        file.write_bytes(damage)
        with pytest.raises(InvalidRequest, match="damaged"):
            await add(openai, "other", api_key=SECRET)


async def test_two_that_make_the_key_file_at_once_have_the_same_key(tmp_path):
    import asyncio

    path = tmp_path / "data" / "connections.key"
    keys = await asyncio.gather(*(asyncio.to_thread(KeyFile(path).make) for _ in range(16)))
    assert len(set(keys)) == 1
    assert [file.name for file in path.parent.iterdir()] == ["connections.key"]


@pytest.mark.parametrize(
    "change", [{"base_url": "http://thief.test"}, {"fields": {"resource": "thief"}}, {"connector": "small"}]
)
async def test_a_connection_that_was_changed_in_the_database_gives_no_secret_away(
    add, connections, azure, openai, database, change
):
    await add(azure, resource="pigments", api_key=SECRET)
    await database.write(lambda connection: connection.execute(sa.update(table).values(**change)))
    with pytest.raises(SecretsUnreadable, match="changed in the database"):
        await connections.target("mine", openai if "connector" in change else azure)


async def test_secrets_of_one_connection_do_not_open_as_anothers(add, connections, openai, database):
    await add(openai, "one", api_key=SECRET)
    await add(openai, "two", api_key="sk-two")
    stolen = sa.select(table.c.secrets).where(table.c.name == "one").scalar_subquery()
    swap = sa.update(table).where(table.c.name == "two").values(secrets=stolen)
    await database.write(lambda connection: connection.execute(swap))
    with pytest.raises(SecretsUnreadable):
        await connections.target("two", openai)


async def test_a_name_is_taken_once_and_a_replaced_connection_keeps_its_id(add, connections, openai):
    made = await add(openai, api_key=SECRET)
    with pytest.raises(Conflict, match="--replace"):
        await add(openai, api_key="sk-other")
    assert (await add(openai, replace=True, api_key="sk-other", organization="org-1")).id == made.id
    target = await connections.target(made.id, openai)
    assert await target.headers() == {"Authorization": "Bearer sk-other", "OpenAI-Organization": "org-1"}
    assert target.connection_id == made.id
    await connections.remove("mine")
    with pytest.raises(NotFound, match="There are: none"):
        await connections.get("mine")
    assert (await add(openai, replace=True, api_key=SECRET)).id != made.id


@pytest.mark.parametrize("name", ["local", "conn_1", "", "a b", "-x", "é", "x" * 256])
async def test_names_that_would_be_mistaken_are_refused(add, openai, name):
    with pytest.raises(InvalidRequest) as refused:
        await add(openai, name, api_key=SECRET)
    assert refused.value.param == "name"


async def test_a_connection_of_another_connector_is_refused(add, connections, openai, azure):
    await add(openai, api_key=SECRET)
    with pytest.raises(InvalidRequest, match=r"connector 'small', not of 'azure'.*--connector azure"):
        await connections.target("mine", azure)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"resource": "pigments"}, "api_key"),
        ({"resource": "pigments", "api_key": "  "}, "api_key"),
        ({"api_key": SECRET}, "resource"),
        ({"resource": "pigments", "api_key": SECRET, "apikey": "x"}, "apikey"),
        ({"resource": "evil.test/x", "api_key": SECRET}, "resource"),
        ({"resource": "https://pigments.openai.azure.com", "api_key": SECRET}, "resource"),
        ({"resource": "pigments", "api_key": "two\nlines: x"}, "api_key"),
        ({"resource": "pigments", "api_key": "schlüssel"}, "api_key"),
    ],
)
async def test_missing_unknown_and_malformed_fields_are_refused_without_repeating_secrets(add, azure, given, param):
    with pytest.raises(InvalidRequest) as refused:
        await add(azure, **given)
    assert refused.value.param == param
    assert SECRET not in refused.value.message


async def test_an_unknown_kind_names_the_ones_there_are(add, azure):
    with pytest.raises(NotFound, match="identity, default"):
        await add(azure, kind="oauth", resource="pigments", api_key=SECRET)
    assert (await add(azure, resource="pigments", api_key=SECRET)).kind == "default"


@pytest.mark.parametrize(
    ("base_url", "root", "server"),
    [
        (None, "https://pigments.openai.azure.com/openai", "https://pigments.openai.azure.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/openai", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/openai", "http://127.0.0.1:8080"),
        ("https://host.test/smalt/openai", "https://host.test/smalt/openai", "https://host.test/smalt"),
    ],
)
async def test_calls_go_to_the_cloud_or_to_the_server_that_is_named(add, connections, azure, base_url, root, server):
    await add(azure, resource="pigments", api_key=SECRET, search_endpoint="https://s.test", base_url=base_url)
    target = await connections.target("mine", azure)
    assert (target.base_url, target.server) == (root, server)
    assert target.extras == {"search_endpoint": "https://s.test"}


@pytest.mark.parametrize(
    ("base_url", "root"),
    [
        (None, "https://api.test/v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
        ("http://127.0.0.1:8080/openai/v1", "http://127.0.0.1:8080/openai/v1"),
        ("https://host.test/v1/", "https://host.test/v1"),
    ],
)
async def test_a_whole_api_root_is_taken_as_it_is(add, connections, openai, base_url, root):
    await add(openai, api_key=SECRET, base_url=base_url)
    assert (await connections.target("mine", openai)).base_url == root


async def test_a_resource_name_is_not_needed_beside_an_address(add, connections, azure):
    await add(azure, api_key=SECRET, base_url="http://127.0.0.1:8080", is_smalt=True)
    target = await connections.target("mine", azure)
    assert (target.base_url, target.is_smalt) == ("http://127.0.0.1:8080/openai", True)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "127.0.0.1:8080",
        "http://",
        "http://user:pw@x",
        "http://x?key=1",
        "http://x:port",
        "http://a b",
        "http://x/v1?",
    ],
)
async def test_what_is_no_address_is_refused(add, openai, url):
    with pytest.raises(InvalidRequest) as refused:
        await add(openai, api_key=SECRET, base_url=url)
    assert refused.value.param == "base_url"
    assert "pw" not in refused.value.message


@pytest.mark.parametrize(("given", "is_added"), [("sk-1", True), ("Bearer sk-1", False), ("bearer  sk-1", False)])
async def test_a_key_may_have_the_word_bearer_or_not(add, connections, openai, given, is_added):
    await add(openai, api_key=given)
    target = await connections.target("mine", openai)
    assert await target.headers() == {"Authorization": "Bearer sk-1"}
    assert bearer_is_added(target.kind, {"api_key": given}) is is_added


async def test_the_local_server_needs_no_connection(openai, azure):
    assert local_target(azure, "http://127.0.0.1:8080", None).base_url == "http://127.0.0.1:8080/openai"
    target = local_target(openai, "http://127.0.0.1:8080", "smalt-key")
    assert target.base_url == "http://127.0.0.1:8080/v1"
    assert await target.headers() == {"Authorization": "Bearer smalt-key"}
    assert (target.connection_id, target.is_smalt) == ("local", True)
    assert await local_target(openai, "http://127.0.0.1:8080", None).headers() == {}


async def test_a_connection_without_secrets_needs_no_key(database, azure, settings, add, connections):
    await add(azure, kind="identity", resource="pigments")
    assert not (settings.data_dir / "connections.key").exists()
    without_keys = Connections(database, KeyPlaces([], ""))
    assert (await without_keys.target("mine", azure)).base_url == "https://pigments.openai.azure.com/openai"
