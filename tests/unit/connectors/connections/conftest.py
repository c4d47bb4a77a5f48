"""A database and small connectors to connect with."""

import pytest

from smalt.connectors.connections.key_places import key_places
from smalt.connectors.connections.service import Connections, NewConnection
from smalt.connectors.definitions.vocabulary import ConnectionField, ConnectionKind, Connector, Throttle
from smalt.core.settings import Settings
from smalt.store.database import Database, database_of
from smalt.store.migrating import migrate

KEY = ConnectionField(key="api_key", title="API Key", type="securestring", required=True)
RESOURCE = ConnectionField(key="resource", title="Resource name", type="string", required=True)
IDENTITY = ConnectionField(key="identity", title="Identity", type="managedIdentity", required=True)
SEARCH = (
    ConnectionField(key="search_endpoint", title="Search endpoint", type="string"),
    ConnectionField(key="search_key", title="Search key", type="securestring"),
)
ORGANIZATION = ConnectionField(key="organization", title="Organization", type="string")


def connector(name, base_url, mount, *kinds):
    return Connector(
        name=name,
        title=name,
        description="",
        publisher="",
        website="",
        privacy_policy="",
        categories=(),
        brand_color="#000000",
        base_url=base_url,
        mount=mount,
        connections=kinds,
        throttle=Throttle(100, 60),
        actions=(),
    )


def kind(name, *fields, headers, **more):
    return ConnectionKind(name=name, title=name, description="", fields=fields, headers=headers, **more)


@pytest.fixture
def openai():
    headers = {"Authorization": "Bearer {api_key}", "OpenAI-Organization": "{organization}"}
    return connector("small", "https://api.test/v1", "/v1", kind("default", KEY, ORGANIZATION, headers=headers))


@pytest.fixture
def azure():
    return connector(
        "azure",
        "https://{resource}.openai.azure.com/openai",
        "/openai",
        kind("identity", IDENTITY, RESOURCE, headers={}, token_scope="https://cognitiveservices.azure.com/.default"),
        kind("default", RESOURCE, KEY, *SEARCH, headers={"api-key": "{api_key}"}),
    )


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data", connectors={"secrets": "file"})


@pytest.fixture
async def database(settings):
    settings.data_dir.mkdir()
    migrate(database_of(settings))
    database = Database.open(database_of(settings))
    yield database
    await database.close()


@pytest.fixture
def connections(database, settings):
    return Connections(database, key_places(settings))


@pytest.fixture
def add(connections):
    """Add a connection; its fields are arguments."""

    async def add(connector, name="mine", *, kind=None, base_url=None, is_smalt=False, replace=False, **given):
        new = NewConnection(
            name=name, connector=connector, kind=kind, given=given, base_url=base_url, is_smalt=is_smalt
        )
        return await connections.add(new, replace=replace)

    return add
