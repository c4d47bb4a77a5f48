"""Each data source finds the right pages in a server that speaks its service's API."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import search_services
from handbook import topic_vector
from loopback import web_service
from search_services import KEY
from smalt.core.errors import ApiError
from smalt.retrieval.data_sources.azure_search import AzureSearch
from smalt.retrieval.data_sources.failures import DataSourceFailed, DataSourceRefused, HostForbidden
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.protocols import Query
from smalt.schemas.on_your_data import (
    AzureSearchParameters,
)

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


async def azure(service: search_services.SearchService, session: aiohttp.ClientSession, **fields: Any) -> AzureSearch:
    asked = {
        "endpoint": service.url,
        "index_name": "handbook",
        "authentication": {"type": "api_key", "key": KEY},
        **fields,
    }
    return await AzureSearch.open(AzureSearchParameters.model_validate(asked), session=session, hosts=ANYWHERE)


async def test_azure_search_by_words_maps_the_fields_by_the_names_of_the_index(session: aiohttp.ClientSession):
    with search_services.azure_search() as service:
        source = await azure(service, session)
        found = await source.search(Query(BIKES), 3)
    assert found[0].title == "Company bicycles"
    assert found[0].url == "https://intranet.example/bicycles"
    assert found[0].filepath == "bicycles.md"
    assert found[0].chunk_id == "0"
    assert found[0].content.startswith("Company bicycles stand")
    assert found[0].score == max(one.score for one in found)
    assert "content_vector" not in service.asked[-1][1]["select"]


async def test_azure_search_reads_the_fields_that_a_request_maps(session: aiohttp.ClientSession):
    mapping = {
        "content_fields": ["title", "content"],
        "content_fields_separator": " :: ",
        "title_field": "category",
        "filepath_field": "id",
    }
    with search_services.azure_search() as service:
        source = await azure(service, session, fields_mapping=mapping)
        found = await source.search(Query(BIKES), 1)
    assert found[0].content.startswith("Company bicycles :: Company bicycles stand")
    assert (found[0].title, found[0].filepath) == ("things", "bicycles-0")


async def test_azure_search_keeps_to_a_filter(session: aiohttp.ClientSession):
    with search_services.azure_search() as service:
        source = await azure(service, session, filter="category eq 'money'")
        found = await source.search(Query("employees holiday bicycle"), 5)
        wrong = await azure(service, session, filter="category is nice")
        with pytest.raises(DataSourceRefused, match="Invalid expression: category is nice"):
            await wrong.search(Query("employees"), 5)
    assert {one.title for one in found} == {"Travel expenses", "Parking"}


async def test_azure_search_by_vectors_tells_the_cosine(session: aiohttp.ClientSession):
    with search_services.azure_search() as service:
        source = await azure(service, session, query_type="vector", embedding_dependency=DEPLOYMENT)
        assert source.needs_vectors
        found = await source.search(by_topic("a bike to ride"), 5)
    assert found[0].title == "Company bicycles"
    assert found[0].similarity == pytest.approx(1, abs=0.01)
    assert found[-1].similarity == pytest.approx(0, abs=0.1)


async def test_azure_search_lets_the_index_make_vectors(session: aiohttp.ClientSession):
    with search_services.azure_search() as service:
        source = await azure(service, session, query_type="vector", embedding_dependency={"type": "integrated"})
        assert not source.needs_vectors
        found = await source.search(Query("a book to read"), 1)
    assert found[0].title == "Library"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("semantic", {"semantic_configuration": "default"}),
        ("vector_semantic_hybrid", {"semantic_configuration": "default", "embedding_dependency": DEPLOYMENT}),
    ],
)
async def test_azure_search_ranked_by_meaning_has_a_second_score(
    session: aiohttp.ClientSession, kind: str, fields: Json
):
    with search_services.azure_search() as service:
        source = await azure(service, session, query_type=kind, **fields)
        found = await source.search(by_topic("library opens"), 2)
    assert found[0].title == "Library"
    assert found[0].rerank_score == pytest.approx(4)


async def test_azure_search_fuses_words_and_vectors(session: aiohttp.ClientSession):
    fields = {"query_type": "vector_simple_hybrid", "embedding_dependency": DEPLOYMENT}
    with search_services.azure_search() as service:
        found = await (await azure(service, session, **fields)).search(by_topic("Where is the bicycle key?"), 5)
    assert found[0].title == "Company bicycles"
    assert found[0].score == pytest.approx(2 / 61)
    assert found[0].similarity is None


async def test_a_key_that_may_only_search_is_enough_for_azure_search(session: aiohttp.ClientSession):
    with search_services.azure_search(keys=("admin", "query")) as service:
        source = await azure(service, session, authentication={"type": "api_key", "key": "query"})
        found = await source.search(Query(BIKES), 1)
        assert (found[0].title, found[0].filepath) == ("Company bicycles", "bicycles.md")
        vectors = await azure(
            service,
            session,
            authentication={"type": "api_key", "key": "query"},
            query_type="vector",
            embedding_dependency=DEPLOYMENT,
            fields_mapping=MAPPING,
        )
        assert (await vectors.search(by_topic("library"), 1))[0].title == "Library"


async def test_an_access_token_signs_in_to_azure_search(session: aiohttp.ClientSession):
    with search_services.azure_search(keys=("a-token",)) as service:
        source = await azure(service, session, authentication={"type": "access_token", "access_token": "a-token"})
        assert await source.search(Query(BIKES), 1)


async def test_a_refusal_tells_the_status_and_not_the_key(session: aiohttp.ClientSession):
    with search_services.azure_search() as service:
        source = await azure(service, session, authentication={"type": "api_key", "key": "wrong-key-of-somebody"})
        with pytest.raises(DataSourceRefused) as refused:
            await source.search(Query(BIKES), 1)
    assert refused.value.status == 400
    assert "Azure Search Error: 403, message='Server responded with status 403." in refused.value.message
    assert "The key *** is not allowed." in refused.value.message
    assert refused.value.param == "data_sources[0].parameters.endpoint"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query_type": "semantic"}, "semantic_configuration"),
        ({"query_type": "vector"}, "embedding_dependency"),
        ({"endpoint": "ftp://elsewhere"}, "endpoint"),
        ({"endpoint": "nonsense"}, "endpoint"),
        ({"endpoint": "http://user:word@127.0.0.1"}, "endpoint"),
        (
            {
                "query_type": "vector",
                "embedding_dependency": DEPLOYMENT,
                "fields_mapping": {"image_vector_fields": ["pictures"]},
            },
            "fields_mapping.image_vector_fields",
        ),
    ],
)
async def test_what_azure_search_cannot_honour_is_refused_by_name(
    session: aiohttp.ClientSession, fields: Json, param: str
):
    service = search_services.SearchService("http://127.0.0.1:9")
    with pytest.raises(ApiError) as refused:
        await azure(service, session, **fields)
    assert refused.value.param == f"data_sources[0].parameters.{param}"
    assert refused.value.status == 400


async def test_a_service_that_fails_for_a_moment_is_asked_again(session: aiohttp.ClientSession):
    left = [503, 429]
    with search_services.azure_search() as service:
        service.fail_on = lambda body: left.pop() if body and left else None
        assert await (await azure(service, session)).search(Query(BIKES), 1)
    assert not left


async def test_a_service_that_goes_on_failing_is_given_up(session: aiohttp.ClientSession):
    with search_services.azure_search() as service:
        service.fail_on = lambda body: 503 if body else None
        with pytest.raises(DataSourceFailed, match="status 503") as failed:
            await (await azure(service, session)).search(Query(BIKES), 1)
        assert len([body for _, body in service.asked if body]) == 3
    assert failed.value.status == 502


async def test_a_service_that_is_not_there_is_told_by_its_parameter(session: aiohttp.ClientSession):
    service = search_services.SearchService("http://127.0.0.1:9")
    with pytest.raises(DataSourceFailed, match="cannot be reached") as failed:
        await (await azure(service, session)).search(Query(BIKES), 1)
    assert failed.value.param == "data_sources[0].parameters.endpoint"


async def test_a_redirect_is_not_followed(session: aiohttp.ClientSession):
    visited: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.json_response({})

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(target)

    with web_service(elsewhere) as target, web_service(redirect) as url:
        source = await azure(search_services.SearchService(url), session)
        with pytest.raises(DataSourceFailed, match="redirect"):
            await source.search(Query(BIKES), 1)
    assert visited == []


@pytest.mark.parametrize("resource_id", [None, "/subscriptions/s/identities/mine"])
async def test_a_managed_identity_signs_in_with_a_token_of_the_machine(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, resource_id: str | None
):
    asked: list[Any] = []

    async def identity(request: web.Request) -> web.Response:
        asked.append((dict(request.query), request.headers["X-IDENTITY-HEADER"]))
        token = {"access_token": "token-of-the-machine", "expires_in": "3600", "expires_on": "4102444800"}
        return web.json_response({**token, "resource": "https://search.azure.com", "token_type": "Bearer"})

    authentication = {"type": "system_assigned_managed_identity"}
    if resource_id is not None:
        authentication = {"type": "user_assigned_managed_identity", "managed_identity_resource_id": resource_id}
    with web_service(identity) as url, search_services.azure_search(keys=("token-of-the-machine",)) as service:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "secret-of-the-machine")
        asked_for = {"endpoint": service.url, "index_name": "handbook", "authentication": authentication}
        parameters = AzureSearchParameters.model_validate(asked_for)
        with pytest.raises(HostForbidden, match=r"retrieval\.data_source_hosts"):
            await AzureSearch.open(parameters, session=session, hosts=ANYWHERE)
        assert asked == []
        source = await AzureSearch.open(parameters, session=session, hosts=Hosts(["127.0.0.1"]))
        assert await source.search(Query(BIKES), 1)
    query, header = asked[0]
    assert query["resource"] == "https://search.azure.com"
    assert header == "secret-of-the-machine"
    assert (resource_id in query.values()) is (resource_id is not None)


@pytest.mark.parametrize(
    ("allowed", "url", "passes"),
    [
        (None, "https://anything.example", True),
        (["good.example"], "https://GOOD.example/path", True),
        (["good.example:444"], "https://good.example:444", True),
        (["good.example:444"], "https://good.example", False),
        (["*.search.windows.net"], "https://mine.search.windows.net", True),
        (["*.search.windows.net"], "https://search.windows.net.evil.example", False),
        ([], "https://good.example", False),
    ],
)
def test_only_hosts_of_the_setting_may_be_named(allowed: list[str] | None, url: str, *, passes: bool):
    if passes:
        assert Hosts(allowed).url(url, "endpoint").hostname
        return
    with pytest.raises(HostForbidden) as refused:
        Hosts(allowed).url(url, "endpoint")
    assert refused.value.status == 403
    assert refused.value.param == "data_sources[0].parameters.endpoint"
