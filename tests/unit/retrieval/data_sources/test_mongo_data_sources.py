"""MongoDB and Azure Cosmos DB find the right pages in a server that speaks MongoDB's wire protocol."""

import gc
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest

import mongo_service
from handbook import topic_vector
from smalt.core.errors import ApiError
from smalt.retrieval.data_sources.azure_cosmos_db import AzureCosmosDB
from smalt.retrieval.data_sources.failures import DataSourceFailed, DataSourceRefused, HostForbidden
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.mongo_db import MongoDB
from smalt.retrieval.data_sources.protocols import Query
from smalt.schemas.on_your_data import AzureCosmosDBParameters, MongoDBParameters

Json = dict[str, Any]
ANYWHERE = Hosts(None)
MAPPING: Json = {
    "content_fields": ["content"],
    "title_field": "title",
    "url_field": "url",
    "filepath_field": "filepath",
    "vector_fields": ["content_vector"],
}
DEPLOYMENT: Json = {"type": "deployment_name", "deployment_name": "embed"}


# A client that is closed while its monitor connects leaves that socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Let sockets that the driver forgot be found in the test that made them."""
    yield
    gc.collect()


def by_topic(text: str) -> Query:
    return Query(text, topic_vector(text))


def cosmos(service: mongo_service.MongoService, password: str = mongo_service.PASSWORD, **fields: Any) -> AzureCosmosDB:
    uri = f"mongodb://{mongo_service.USER}:{quote_plus(password)}@{service.address}/?authMechanism=SCRAM-SHA-256"
    asked = {
        "authentication": {"type": "connection_string", "connection_string": uri},
        "database_name": "handbook",
        "container_name": "pages",
        "index_name": "vectors",
        "fields_mapping": MAPPING,
        "embedding_dependency": DEPLOYMENT,
        **fields,
    }
    return AzureCosmosDB.open(AzureCosmosDBParameters.model_validate(asked), hosts=ANYWHERE)


async def test_cosmos_db_finds_near_vectors():
    with mongo_service.mongo() as service:
        source = cosmos(service)
        found = await source.search(by_topic("a bike to ride"), 2)
        await source.close()
    assert found[0].title == "Company bicycles"
    assert found[0].similarity == pytest.approx(1, abs=0.01)
    assert len(found) == 2
    assert service.pipelines[0][0]["$search"]["cosmosSearch"]["path"] == "content_vector"


async def test_cosmos_db_refuses_an_index_that_is_not_there():
    with mongo_service.mongo() as service:
        source = cosmos(service, index_name="other")
        with pytest.raises(ApiError, match=r"has no index 'other'\. It has: _id_, vectors") as refused:
            await source.search(by_topic("a"), 2)
        await source.close()
    assert refused.value.param == "data_sources[0].parameters.index_name"


async def test_a_wrong_password_of_cosmos_db_is_refused_and_not_told():
    with mongo_service.mongo() as service:
        source = cosmos(service, password="a-wrong/word")
        with pytest.raises(DataSourceRefused, match="Authentication failed") as refused:
            await source.search(by_topic("a"), 2)
        await source.close()
    assert "wrong" not in refused.value.message


@pytest.mark.parametrize(
    "option", ["tlsCAFile=/etc/passwd", "authMechanism=MONGODB-AWS", "authMechanism=MONGODB-OIDC", "proxyHost=a"]
)
def test_a_connection_string_cannot_use_files_or_identities_of_this_machine(option: str):
    with pytest.raises(ApiError, match="cannot be set by a request") as refused:
        cosmos(
            mongo_service.MongoService("127.0.0.1:1"),
            authentication={"type": "connection_string", "connection_string": f"mongodb://u:p@127.0.0.1/?{option}"},
        )
    assert refused.value.param == "data_sources[0].parameters.authentication.connection_string"
    assert ":p@" not in refused.value.message


def atlas(
    service: mongo_service.MongoService, hosts: Hosts = ANYWHERE, *, connect_seconds: float = 10, **fields: Any
) -> MongoDB:
    asked = {
        "endpoint": f"mongodb://{service.address}",
        "app_name": "asker",
        "authentication": {
            "type": "username_and_password",
            "username": mongo_service.USER,
            "password": mongo_service.PASSWORD,
        },
        "database_name": "handbook",
        "collection_name": "pages",
        "index_name": "vectors",
        "fields_mapping": MAPPING,
        "embedding_dependency": DEPLOYMENT,
        **fields,
    }
    parameters = MongoDBParameters.model_validate(asked)
    return MongoDB.open(parameters, hosts=hosts, connect_seconds=connect_seconds)


async def test_mongo_db_finds_near_vectors():
    with mongo_service.mongo() as service:
        source = atlas(service)
        found = await source.search(by_topic("a bike to ride"), 3)
        await source.close()
    assert found[0].title == "Company bicycles"
    assert found[0].similarity == pytest.approx(1, abs=0.01)
    assert found[0].score == pytest.approx((1 + (found[0].similarity or 0)) / 2)
    assert "asker" in service.app_names


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"index_name": "other"}, "index other does not exist"),
        ({"fields_mapping": {**MAPPING, "vector_fields": ["nothing"]}}, "cannot search by"),
        (
            {"authentication": {"type": "username_and_password", "username": "x", "password": "y"}},
            "Authentication failed",
        ),
    ],
)
async def test_what_mongo_db_refuses_is_told(fields: Json, said: str):
    with mongo_service.mongo() as service:
        source = atlas(service, **fields)
        with pytest.raises(DataSourceRefused, match=said):
            await source.search(by_topic("a"), 2)
        await source.close()


async def test_a_mongo_db_that_is_not_there_is_told():
    source = atlas(mongo_service.MongoService("127.0.0.1:9"), connect_seconds=0.2)
    with pytest.raises(DataSourceFailed, match="cannot be reached") as failed:
        await source.search(by_topic("a"), 2)
    await source.close()
    assert failed.value.param == "data_sources[0].parameters.endpoint"


@pytest.mark.parametrize(
    "endpoint", ["mongodb://evil.example", "mongodb://good.example,evil.example:1", "evil.example"]
)
def test_hosts_of_mongo_db_are_checked_each(endpoint: str):
    with pytest.raises(HostForbidden, match=r"'evil\.example'.*retrieval\.data_source_hosts"):
        atlas(mongo_service.MongoService(), hosts=Hosts(["good.example"]), endpoint=endpoint)
