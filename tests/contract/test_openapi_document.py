"""The served OpenAPI document: what it lists, what it promises, and that the page beside it needs no network."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from smalt.app import create_app
from smalt.core.settings import load_settings
from smalt.http.openapi import docs_router, openapi_document
from smalt.schemas.vocabulary import vocabulary

FACTS = Path(__file__).parent.parent / "reference"
NAMES = json.loads((FACTS / "azure-v1-names.json").read_text())
OPERATIONS: dict[str, Any] = {}
for facts_file in sorted(set(FACTS.glob("azure-v1-*.json")) - {FACTS / "azure-v1-names.json"}):
    OPERATIONS |= json.loads(facts_file.read_text()).get("operations", {})
NOT_YET = (FACTS / "not-served-yet.txt").read_text().splitlines()

MORE_THAN_THE_REFERENCE = {
    # OpenAI streams a stored response again.
    "GET /responses/{response_id}": {"text/event-stream": "ResponseStreamEvent"},
    # The reference says that it is an object.
    "DELETE /responses/{response_id}": {"application/json": "DeleteResponse"},
    # OpenAI streams what is heard and spoken.
    "POST /audio/speech": {
        "text/event-stream": "CreateSpeechResponseStreamEvent",
        **dict.fromkeys(("audio/mpeg", "audio/opus", "audio/aac", "audio/flac", "audio/wav", "audio/pcm"), "string"),
    },
    "POST /audio/transcriptions": {"text/event-stream": "CreateTranscriptionResponseStreamEvent"},
}

Document = dict[str, Any]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(load_settings(data_dir=tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def document(app: FastAPI) -> Document:
    return openapi_document(app)


def unnamed(operation: str) -> str:
    """An operation without its path parameters' names."""
    return re.sub(r"\{[^}]*\}", "{}", operation)


def served_operations(document: Document) -> dict[str, Any]:
    return {
        unnamed(f"{method.upper()} {path}"): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def references(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for child in part:
            yield from references(child)
    elif isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for child in part.values():
            yield from references(child)


def schema_name(media: dict[str, Any]) -> str:
    schema = media["schema"]
    return schema["$ref"].rsplit("/", 1)[-1] if "$ref" in schema else schema["type"]


def test_the_document_is_made_only_when_it_is_asked_for(tmp_path: Path) -> None:
    app = create_app(load_settings(data_dir=tmp_path))
    assert app.openapi_schema is None
    assert openapi_document(app) is openapi_document(app)


def test_operations_not_served_yet_are_known_and_only_shrink(document: Document) -> None:
    not_yet = {unnamed(line.removeprefix("operation ")) for line in NOT_YET if line.startswith("operation ")}
    missing = {unnamed(operation) for operation in NAMES["operations"]} - set(served_operations(document))
    assert missing - not_yet == set(), "these operations went missing"
    assert not_yet - missing == set(), "these are served now (or unknown): remove them from not-served-yet.txt"


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_answers_and_fails_with_the_reference_s_schemas(document: Document, name: str) -> None:
    facts = OPERATIONS[name]
    operation = served_operations(document)[unnamed(name)]
    answers = {kind: schema_name(media) for kind, media in operation["responses"]["200"]["content"].items()}
    assert answers == facts["answers"] | MORE_THAN_THE_REFERENCE.get(name, {})
    assert schema_name(operation["responses"]["default"]["content"]["application/json"]) == facts["failure"]
    assert "422" not in operation["responses"]
    assert {"$ref": "#/components/parameters/ApiVersion"} in operation["parameters"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("POST /chat/completions", "AzureCreateChatCompletionRequest"),
        ("POST /embeddings", "AzureCreateEmbeddingRequest"),
        ("POST /completions", "CreateCompletionRequest"),
        ("POST /vector_stores", "CreateVectorStoreRequest"),
        ("POST /vector_stores/{}", "UpdateVectorStoreRequest"),
        ("POST /vector_stores/{}/file_batches", "CreateVectorStoreFileBatchRequest"),
        ("POST /vector_stores/{}/files", "CreateVectorStoreFileRequest"),
        ("POST /vector_stores/{}/files/{}", "UpdateVectorStoreFileAttributesRequest"),
        ("POST /vector_stores/{}/search", "VectorStoreSearchRequest"),
        ("POST /responses", "AzureCreateResponse"),
        ("POST /conversations/{}", "UpdateConversationBody"),
        ("POST /conversations/{}/items", "CreateConversationItemsBody"),
        ("POST /containers", "CreateContainerBody"),
        ("POST /audio/speech", "AzureCreateSpeechRequestMultiPart"),
    ],
)
def test_an_operation_takes_the_reference_s_body(document: Document, name: str, body: str) -> None:
    content = served_operations(document)[name]["requestBody"]["content"]
    assert schema_name(content["application/json"]) == body
    facts = {unnamed(one): facts for one, facts in OPERATIONS.items()}.get(name, {"fields": []})
    fields = {fact["name"] for fact in facts["fields"] if "parent" not in fact}
    assert fields <= set(document["components"]["schemas"][body]["properties"])


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("POST /files", "AzureCreateFileRequestMultiPart"),
        ("POST /uploads/{}/parts", "AddUploadPartRequest"),
        ("POST /audio/transcriptions", "AzureCreateTranscriptionRequestMultiPart"),
        ("POST /audio/translations", "AzureCreateTranslationRequestMultiPart"),
    ],
)
def test_an_operation_that_streams_its_form_describes_it(document: Document, name: str, form: str) -> None:
    content = served_operations(document)[name]["requestBody"]["content"]
    assert schema_name(content["multipart/form-data"]) == form


def test_every_operation_has_an_id_of_its_own_and_a_summary(document: Document) -> None:
    operations = list(served_operations(document).values())
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert all(operation.get("summary") for operation in operations)


def test_the_document_holds_the_whole_vocabulary(document: Document) -> None:
    assert set(vocabulary()) <= set(document["components"]["schemas"])
    assert "AzureCreateChatCompletionStreamResponse" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_no_reference_in_the_document_dangles(document: Document) -> None:
    for reference in set(references(document)):
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in target, reference
            target = target[step]


def test_the_document_names_the_server_and_the_ways_to_sign_in(document: Document) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "/openai/v1"}]
    assert document["components"]["securitySchemes"]["api-key"]["name"] == "api-key"
    assert document["security"] == [{"api-key": []}, {"bearer": []}]


def test_every_schema_says_what_it_is(document: Document) -> None:
    plain = [name for name, schema in document["components"]["schemas"].items() if "properties" in schema]
    assert [name for name in plain if not document["components"]["schemas"][name].get("description")] == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), auth={"enabled": False})
    with TestClient(create_app(settings, routers=[docs_router]), base_url="http://localhost") as client:
        yield client


def test_the_docs_page_asks_only_this_server_for_its_files(browser: TestClient) -> None:
    answer = browser.get("/docs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = answer.text
    links = re.findall(r"(?:href|src)=\"([^\"]+)\"", page)
    assert links
    assert all(link.startswith("/docs/") for link in links)
    assert "/openai/v1/openapi.json" in page
    assert "https://" not in page


@pytest.mark.parametrize(
    ("name", "kind"), [("swagger-ui-bundle.js", "javascript"), ("swagger-ui.css", "css"), ("favicon.png", "png")]
)
def test_the_docs_page_s_files_are_there(browser: TestClient, name: str, kind: str) -> None:
    answer = browser.get(f"/docs/{name}")
    assert answer.status_code == 200
    assert kind in answer.headers["content-type"]
    assert len(answer.content) > 1000


def test_the_docs_page_has_no_other_files(browser: TestClient) -> None:
    assert browser.get("/docs/redoc.standalone.js").status_code == 404


def test_the_document_is_served_as_json(browser: TestClient) -> None:
    answer = browser.get("/openai/v1/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["info"]["title"] == "Smalt"
