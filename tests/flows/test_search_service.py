"""Stories of the real Azure AI Search client over vector stores."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError, ServiceRequestError
from azure.search.documents import SearchClient
from azure.search.documents.indexes import SearchIndexClient
from azure.search.documents.models import VectorizableTextQuery, VectorizedQuery

from kept_documents import Kept, keep_store
from serving import new_key, serving
from smalt.core.settings import DeploymentSettings, Settings
from smalt.engines.protocols import EmbeddingEngine
from smalt.models import Models
from smalt.store.database import Database, default_database

HOTELS = [
    Kept(
        "harbour.txt",
        [
            "The Harbour Inn has a pool on the roof. Breakfast is served until noon.",
            "Rooms of the Harbour Inn look over the sea. Parking is free for guests.",
        ],
        {"city": "Lisbon", "stars": 4, "open": True, "url": "https://hotels.example/harbour"},
        ["The inn", "The inn / Rooms"],
    ),
    Kept("alpine.txt", ["The Alpine Lodge has a sauna and warm rooms for skiers."], {"city": "Zermatt", "stars": 5}),
    Kept(
        "budget.txt",
        ["A budget hotel with luxury showers near the airport."],
        {"city": "Lisbon", "stars": 2, "open": False},
    ),
]


@dataclass(frozen=True)
class Service:
    """A server whose vector stores are searched as indexes."""

    url: str
    key: str
    other_key: str
    store: str
    vectors: Callable[[Sequence[str]], list[bytes]]
    opened: ExitStack

    def client(self, index: str = "hotels", key: str | None = None) -> SearchClient:
        credential = AzureKeyCredential(key or self.key)
        return self.opened.enter_context(SearchClient(self.url, index, credential, retry_total=0))

    def admin(self) -> SearchIndexClient:
        return self.opened.enter_context(SearchIndexClient(self.url, AzureKeyCredential(self.key), retry_total=0))

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], Any]:
        return self.ask(path, None, headers)

    def ask(
        self, path: str, body: Any, headers: dict[str, str], method: str | None = None
    ) -> tuple[int, dict[str, str], Any]:
        data = None if body is None else json.dumps(body).encode()
        all_headers = {"api-key": self.key, "Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, data, all_headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()

    def search(self, **body: Any) -> Any:
        status, _, content = self.ask("/indexes/hotels/docs/search?api-version=2024-07-01", body, {})
        return status, json.loads(content)

    def refusal(self, **body: Any) -> str:
        status, content = self.search(**body)
        assert (status, content["error"]["code"]) == (400, "")
        return content["error"]["message"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("search")
    settings = Settings(
        data_dir=folder,
        starter=False,
        deployments={"echo": DeploymentSettings(engine="echo")},
        aliases={"text-embedding-3-small": "echo"},
    )

    async def vectors(texts: Sequence[str]) -> list[bytes]:
        models = Models(settings)
        async with models.lease("echo", EmbeddingEngine) as engine:
            rows = (await engine.embed(texts)).rows
        await models.close()
        size = len(rows) // len(texts)
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    async def fill(path: Path) -> str:
        database = Database.open(default_database(path))
        try:
            store = await keep_store(database, HOTELS, vectors, name="hotels")
            await keep_store(database, HOTELS[:1], vectors, name="hotels", project="others")
            return store
        finally:
            await database.close()

    other = asyncio.run(new_key(folder, "others"))
    store = asyncio.run(fill(folder))
    with serving(settings) as served, ExitStack() as opened:
        yield Service(served.url, served.key, other, store, lambda texts: asyncio.run(vectors(texts)), opened)


def test_words_find_documents_with_their_fields(service: Service):
    found = list(service.client().search("sauna skiers", top=1))
    assert found[0]["content"] == HOTELS[1].texts[0]
    assert (found[0]["filepath"], found[0]["title"], found[0]["city"], found[0]["stars"]) == (
        "alpine.txt",
        "alpine.txt",
        "Zermatt",
        5,
    )
    assert found[0]["id"] == f"{found[0]['file_id']}_0"
    assert 0 < found[0]["@search.score"] <= 1


def test_a_document_is_fetched_by_its_key(service: Service):
    key = next(iter(service.client().search("breakfast")))["id"]
    document = service.client().get_document(key)
    assert document["content"] == HOTELS[0].texts[0]
    assert (document["heading"], document["url"]) == ("The inn", "https://hotels.example/harbour")
    assert service.client().get_document(key, selected_fields=["id", "stars"]) == {"id": key, "stars": 4}
    with pytest.raises(ResourceNotFoundError, match="no document with the key"):
        service.client().get_document("file-none_0")


def test_documents_are_counted(service: Service):
    assert service.client().get_document_count() == 4
    assert service.client().search("*", include_total_count=True, top=1).get_count() == 4


def test_an_index_is_a_store_by_name_or_id_and_says_its_fields(service: Service):
    client = service.admin()
    assert list(client.list_index_names()) == ["hotels"]
    index = client.get_index(service.store)
    fields = {field.name: field for field in index.fields}
    assert {name: fields[name].type for name in ("id", "city", "stars", "open", "contentVector")} == {
        "id": "Edm.String",
        "city": "Edm.String",
        "stars": "Edm.Double",
        "open": "Edm.Boolean",
        "contentVector": "Collection(Edm.Single)",
    }
    assert fields["id"].key
    assert fields["contentVector"].vector_search_dimensions == len(service.vectors(["x"])[0]) // 4
    assert index.semantic_search.configurations[0].name == index.semantic_search.default_configuration_name
    assert index.vector_search.profiles[0].name == fields["contentVector"].vector_search_profile_name
    assert [one.name for one in client.list_indexes()] == ["hotels"]
    assert client.get_index_statistics("hotels").document_count == 4


def test_a_vector_finds_its_nearest_and_no_more_than_k(service: Service):
    vector = list(memoryview(service.vectors([HOTELS[1].texts[0]])[0]).cast("f"))
    query = VectorizedQuery(vector=vector, k_nearest_neighbors=2, fields="contentVector")
    found = list(service.client().search(vector_queries=[query]))
    assert found[0]["content"] == HOTELS[1].texts[0]
    assert len(found) == 2


def test_a_text_is_embedded_for_a_vector_query(service: Service):
    query = VectorizableTextQuery(text=HOTELS[2].texts[0], k_nearest_neighbors=1, fields="contentVector")
    assert [one["filepath"] for one in service.client().search(vector_queries=[query])] == ["budget.txt"]


def test_words_and_vectors_are_blended_by_weight(service: Service):
    def first(weight: float) -> str:
        query = VectorizableTextQuery(
            text=HOTELS[2].texts[0], k_nearest_neighbors=4, fields="contentVector", weight=weight
        )
        return next(iter(service.client().search("sauna", vector_queries=[query])))["filepath"]

    assert (first(0.01), first(100)) == ("alpine.txt", "budget.txt")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("city eq 'Lisbon'", {"harbour.txt", "budget.txt"}),
        ("city eq 'Lisbon' and stars gt 3", {"harbour.txt"}),
        ("open", {"harbour.txt"}),
        ("not open", {"alpine.txt", "budget.txt"}),
        ("open eq null", {"alpine.txt"}),
        ("search.in(city, 'Zermatt|Rome', '|') or stars le 2", {"alpine.txt", "budget.txt"}),
        ("startswith(filepath, 'al')", {"alpine.txt"}),
        ("(stars ne 5 and not (city ne 'Lisbon'))", {"harbour.txt", "budget.txt"}),
    ],
)
def test_a_filter_is_honoured_by_every_kind_of_search(service: Service, text: str, names: set[str]):
    client = service.client()
    near = VectorizableTextQuery(text="hotel", k_nearest_neighbors=50, fields="contentVector")
    assert {one["filepath"] for one in client.search("*", filter=text)} == names
    assert {one["filepath"] for one in client.search("has hotel rooms", filter=text)} <= names
    assert {one["filepath"] for one in client.search(vector_queries=[near], filter=text)} == names


def test_a_filter_behind_the_vectors_leaves_fewer_than_k(service: Service):
    query = VectorizableTextQuery(text=HOTELS[0].texts[0], k_nearest_neighbors=1, fields="contentVector")
    search = service.client().search
    assert list(search(vector_queries=[query], filter="stars eq 5", vector_filter_mode="postFilter")) == []
    assert len(list(search(vector_queries=[query], filter="stars eq 5", vector_filter_mode="preFilter"))) == 1


@pytest.mark.parametrize(
    ("text", "mode", "names"),
    [
        ("pool sauna", "any", {"harbour.txt", "alpine.txt"}),
        ("pool sauna", "all", set()),
        ("pool + breakfast", "any", {"harbour.txt"}),
        ("has -sauna", "any", {"harbour.txt"}),
        ('"budget hotel"', "any", {"budget.txt"}),
        ('"hotel budget"', "any", set()),
        ("(pool | sauna) + rooms", "any", {"alpine.txt"}),
    ],
)
def test_the_operators_of_the_simple_syntax_are_honoured(service: Service, text: str, mode: str, names: set[str]):
    assert {one["filepath"] for one in service.client().search(text, search_mode=mode)} == names


def test_results_come_in_the_order_that_is_asked_for(service: Service):
    found = service.client().search("*", order_by=["city asc", "stars desc"], select=["city", "stars"])
    assert [(one["city"], one["stars"]) for one in found] == [
        ("Lisbon", 4),
        ("Lisbon", 4),
        ("Lisbon", 2),
        ("Zermatt", 5),
    ]
    found = service.client().search("has hotel rooms", order_by=["stars desc"], select=["stars"])
    stars = [one["stars"] for one in found]
    assert stars == sorted(stars, reverse=True)


def test_pages_lie_side_by_side(service: Service):
    whole = [one["id"] for one in service.client().search("*")]
    pages = [[one["id"] for one in service.client().search("*", skip=skip, top=2)] for skip in (0, 2, 4)]
    assert [id_ for page in pages for id_ in page] == whole
    assert [len(page) for page in pages] == [2, 2, 0]


def test_semantic_ranking_scores_captions_and_answers(service: Service):
    results = service.client().search(
        "budget hotel luxury showers airport",
        query_type="semantic",
        semantic_configuration_name="default",
        query_caption="extractive",
        query_caption_highlight_enabled=True,
        query_answer="extractive",
        query_answer_count=1,
        query_answer_threshold=0.0,
    )
    found = list(results)
    again = [one["@search.reranker_score"] for one in found]
    assert again == sorted(again, reverse=True)
    assert 0 <= again[-1] <= again[0] <= 4
    assert found[0]["filepath"] == "budget.txt"
    assert found[0]["@search.captions"][0].text == HOTELS[2].texts[0]
    assert "<em>luxury</em> <em>showers</em>" in found[0]["@search.captions"][0].highlights
    answer = results.get_answers()[0]
    assert (answer.key, answer.text) == (found[0]["id"], HOTELS[2].texts[0])


def test_words_are_highlighted_in_sentences(service: Service):
    found = next(
        iter(
            service.client().search(
                "breakfast", highlight_fields="content", highlight_pre_tag="[", highlight_post_tag="]"
            )
        )
    )
    assert found["@search.highlights"] == {"content": ["[Breakfast] is served until noon."]}


def test_another_project_has_an_index_of_its_own_by_the_same_name(service: Service):
    assert {one["filepath"] for one in service.client(key=service.other_key).search("*")} == {"harbour.txt"}
    assert service.client(key=service.other_key).get_document_count() == 2
    with pytest.raises(ResourceNotFoundError, match="was not found"):
        list(service.client(service.store, service.other_key).search("*"))


def test_an_unknown_index_is_not_found(service: Service):
    with pytest.raises(ResourceNotFoundError, match="The index 'motels' for service 'smalt' was not found"):
        list(service.client("motels").search("*"))


def test_a_wrong_key_is_forbidden_and_a_missing_one_unauthorised(service: Service):
    with pytest.raises(HttpResponseError) as caught:
        list(service.client(key="wrong").search("*"))
    assert caught.value.status_code == 403
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(f"{service.url}/indexes?api-version=2024-07-01")
    with missing.value as answer:
        assert answer.code == 401


def test_a_token_credential_works_when_told_that_http_will_do(service: Service):
    class Token:
        """A credential that vouches with a key of the server."""

        def get_token(self, *_: str, **__: Any) -> AccessToken:
            return AccessToken(service.key, 2**40)

    with SearchClient(service.url, "hotels", Token(), retry_total=0) as client:
        with pytest.raises(ServiceRequestError, match="not permitted for non-TLS"):
            list(client.search("*"))
        assert len(list(client.search("*", enforce_https=False))) == 4


def test_documents_cannot_be_written(service: Service):
    with pytest.raises(HttpResponseError, match="POST /openai/v1/vector_stores") as caught:
        service.client().upload_documents([{"id": "1"}])
    assert caught.value.status_code == 403
    with pytest.raises(HttpResponseError) as caught:
        service.admin().delete_index("hotels")
    assert caught.value.status_code == 403


@pytest.mark.parametrize("accept", ["application/json;odata.metadata=none", "application/json"])
def test_an_answer_has_the_service_s_headers(service: Service, accept: str):
    _, headers, content = service.get(
        "/indexes('hotels')/docs?api-version=2024-07-01&search=pool&$top=1",
        Accept=accept,
        **{"x-ms-client-request-id": "abc"},
    )
    level = "none" if "none" in accept else "minimal"
    assert headers["content-type"] == f"application/json; odata.metadata={level}; odata.streaming=true; charset=utf-8"
    assert (headers["odata-version"], headers["client-request-id"]) == ("4.0", "abc")
    assert headers["request-id"]
    assert headers["elapsed-time"].isdigit()
    body = json.loads(content)
    assert body.get("@odata.context") == (
        None if level == "none" else f"{service.url}/indexes('hotels')/$metadata#docs(*)"
    )


def test_a_get_asks_for_the_same_as_a_post(service: Service):
    filtered = "$filter=stars%20ge%204&$orderby=stars%20desc&$select=stars,id"
    query = f"api-version=2024-07-01&search=rooms&{filtered}&$count=true&$skip=0"
    _, _, content = service.get(f"/indexes/hotels/docs?{query}", Accept="application/json;odata.metadata=none")
    _, posted = service.search(search="rooms", filter="stars ge 4", orderby="stars desc", select="stars,id", count=True)
    posted.pop("@odata.context")
    assert json.loads(content) == posted
    assert posted["@odata.count"] == len(posted["value"]) == 2


@pytest.mark.parametrize("version", ["", "?api-version=", "?api-version=latest"])
def test_a_version_is_needed(service: Service, version: str):
    status, _, content = service.get(f"/indexes/hotels/docs/$count{version}")
    assert status == 400
    assert "api-version" in json.loads(content)["error"]["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"search": "x", "filter": "stars gt 'four'"}, "'stars' is of the type Edm.Double"),
        ({"search": "x", "filter": "rooms gt 4"}, "Could not find a property named 'rooms'"),
        ({"search": "x", "filter": "content eq 'x'"}, "'content' is not filterable"),
        ({"search": "x", "filter": "stars gt"}, "at position 8"),
        ({"search": "x", "facets": ["city"]}, "Facets are not counted"),
        ({"search": "x", "scoringProfile": "boost"}, "no scoring profiles"),
        ({"search": "x", "queryType": "full"}, "Lucene"),
        ({"search": "x", "queryType": "semantic", "semanticConfiguration": "other"}, "It has 'default'"),
        ({"search": "*", "queryType": "semantic"}, "needs words"),
        ({"search": "x", "captions": "extractive"}, "needs queryType semantic"),
        ({"search": "x", "searchFields": "title"}, "not searchable"),
        ({"search": "x", "select": "contentVector"}, "not retrievable"),
        ({"search": "x", "select": "nothing"}, "Could not find a property named 'nothing'"),
        ({"search": "x", "orderby": "page"}, "not sortable"),
        ({"search": "x", "top": -1}, "top"),
        ({"search": "x", "skip": 100001}, "skip"),
        ({"search": "bree*"}, "beginnings of words"),
        ({"search": "-pool"}, "asks for no word"),
        ({"search": "x", "speller": "lexicon"}, "Unknown parameter: 'speller'"),
        ({"vectorQueries": [{"kind": "vector", "vector": [1, 0], "fields": "contentVector"}]}, "has 2 dimensions"),
        ({"vectorQueries": [{"kind": "text", "text": "x", "fields": "titleVector"}]}, "Unknown field 'titleVector'"),
        ({"vectorQueries": [{"kind": "imageUrl", "url": "x"}]}, "imageUrl"),
        ({"vectorQueries": [{"kind": "text", "text": "x", "k": 0}]}, "vectorQueries[0]"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(service: Service, body: dict[str, Any], words: str):
    assert words in service.refusal(**body)


def test_the_first_versions_vectors_are_understood(service: Service):
    vector = list(memoryview(service.vectors([HOTELS[2].texts[0]])[0]).cast("f"))
    status, body = service.search(vectors=[{"value": vector, "fields": "contentVector", "k": 1}])
    assert (status, body["value"][0]["filepath"]) == (200, "budget.txt")
