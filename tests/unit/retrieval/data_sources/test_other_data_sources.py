"""Elasticsearch and Pinecone find the right pages in servers that speak their APIs."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

import search_services
from handbook import topic_vector
from search_services import KEY
from smalt.core.errors import ApiError
from smalt.retrieval.data_sources.elasticsearch import Elasticsearch
from smalt.retrieval.data_sources.failures import DataSourceRefused
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.pinecone import Pinecone
from smalt.retrieval.data_sources.protocols import Query
from smalt.schemas.on_your_data import ElasticsearchParameters, PineconeParameters

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
BIKES = "Where do I find a bicycle to borrow?"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def by_topic(text: str) -> Query:
    return Query(text, topic_vector(text))


def elastic(service: search_services.SearchService, session: aiohttp.ClientSession, **fields: Any) -> Elasticsearch:
    asked = {
        "endpoint": service.url,
        "index_name": "handbook",
        "authentication": {"type": "key_and_key_id", "key": KEY, "key_id": "reader"},
        **fields,
    }
    return Elasticsearch.open(ElasticsearchParameters.model_validate(asked), session=session, hosts=ANYWHERE)


async def test_elasticsearch_matches_words(session: aiohttp.ClientSession):
    with search_services.elasticsearch() as service:
        found = await elastic(service, session).search(Query(BIKES), 2)
    assert found[0].title == "Company bicycles"
    assert found[0].measure == "words"
    assert found[0].key == "handbook-1/bicycles-0"


async def test_elasticsearch_takes_an_encoded_key(session: aiohttp.ClientSession):
    secret = base64.b64encode(f"reader:{KEY}".encode()).decode()
    authentication = {"type": "encoded_api_key", "encoded_api_key": secret}
    with search_services.elasticsearch() as service:
        assert await elastic(service, session, authentication=authentication).search(Query(BIKES), 1)
        wrong = elastic(service, session, authentication={"type": "encoded_api_key", "encoded_api_key": "d3Jvbmc="})
        with pytest.raises(DataSourceRefused, match=r"unable to authenticate with ApiKey \*\*\*"):
            await wrong.search(Query(BIKES), 1)


async def test_elasticsearch_finds_near_vectors(session: aiohttp.ClientSession):
    with search_services.elasticsearch() as service:
        source = elastic(service, session, query_type="vector", embedding_dependency=DEPLOYMENT)
        assert source.needs_vectors
        found = await source.search(by_topic("a bike to ride"), 5)
    assert found[0].title == "Company bicycles"
    assert found[0].similarity == pytest.approx(1, abs=0.01)


async def test_elasticsearch_lets_its_own_model_make_vectors(session: aiohttp.ClientSession):
    dependency = {"type": "model_id", "model_id": "topics"}
    with search_services.elasticsearch() as service:
        source = elastic(service, session, query_type="vector", embedding_dependency=dependency)
        assert not source.needs_vectors
        assert (await source.search(Query("a book to read"), 1))[0].title == "Library"


async def test_an_index_that_elasticsearch_does_not_have_is_refused(session: aiohttp.ClientSession):
    with (
        search_services.elasticsearch() as service,
        pytest.raises(DataSourceRefused, match=r"Elasticsearch Error: 404.*no such index"),
    ):
        await elastic(service, session, index_name="nothing").search(Query(BIKES), 1)


def cone(environment: str, session: aiohttp.ClientSession, key: str = KEY, **options: Any) -> Pinecone:
    asked = {
        "environment": environment,
        "index_name": "handbook",
        "authentication": {"type": "api_key", "key": key},
        "fields_mapping": {name: value for name, value in MAPPING.items() if name != "vector_fields"},
        "embedding_dependency": DEPLOYMENT,
    }
    return Pinecone.open(PineconeParameters.model_validate(asked), session=session, hosts=ANYWHERE, **options)


async def test_pinecone_is_found_by_its_environment(session: aiohttp.ClientSession):
    with search_services.pinecone() as service:
        source = cone("eu-west-1", session, control_plane=service.url)
        found = await source.search(by_topic("a bike to ride"), 2)
        with pytest.raises(ApiError, match="lives in eu-west-1") as refused:
            await cone("us-east-1", session, control_plane=service.url).search(by_topic("a"), 2)
    assert found[0].title == "Company bicycles"
    assert found[0].similarity == found[0].score == pytest.approx(1, abs=0.01)
    assert len(found) == 2
    assert refused.value.param == "data_sources[0].parameters.environment"


async def test_an_environment_may_be_the_url_of_an_index_of_pinecone(session: aiohttp.ClientSession):
    with search_services.pinecone() as service:
        assert (await cone(service.url, session).search(by_topic("books"), 1))[0].filepath == "library.md"
        with pytest.raises(DataSourceRefused, match="Pinecone Error: 401"):
            await cone(service.url, session, key="wrong").search(by_topic("books"), 1)
        assert [path for path, _ in service.asked] == ["/query", "/query"]
