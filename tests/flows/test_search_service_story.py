"""The story of a private index: real documents, the real embedding model, and the real Azure AI Search client."""

from pathlib import Path
from typing import TYPE_CHECKING

import openai
from azure.core.credentials import AzureKeyCredential
from azure.search.documents import SearchClient
from azure.search.documents.models import VectorizableTextQuery, VectorizedQuery

if TYPE_CHECKING:
    from conftest import RunningServer

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"models.md": {"audience": "operators"}, "api/embeddings.md": {"audience": "developers"}}


def test_documents_of_a_vector_store_are_found_as_an_index(starter_server: "RunningServer"):
    with openai.OpenAI(base_url=f"{starter_server.url}/openai/v1", api_key=starter_server.key) as client:
        store = client.vector_stores.create(name="handbook")
        for page, attributes in PAGES.items():
            uploaded = client.files.create(file=DOCS / page, purpose="assistants")
            kept = client.vector_stores.files.create_and_poll(
                uploaded.id, vector_store_id=store.id, attributes=attributes
            )
            assert kept.status == "completed", kept.last_error
        asked = "what happens to a text that is longer than the model reads?"
        vector = client.embeddings.create(model="text-embedding-3-small", input=asked).data[0].embedding
        try:
            check_index(starter_server, asked, vector)
        finally:
            client.vector_stores.delete(store.id)


def check_index(server: "RunningServer", asked: str, vector: list[float]) -> None:
    with SearchClient(server.url, "handbook", AzureKeyCredential(server.key)) as client:
        by_text = VectorizableTextQuery(text=asked, k_nearest_neighbors=5, fields="contentVector")
        by_vector = VectorizedQuery(vector=vector, k_nearest_neighbors=5, fields="contentVector")
        ids = [[one["id"] for one in client.search(vector_queries=[query])] for query in (by_text, by_vector)]
        assert ids[0] == ids[1]
        results = client.search(
            asked, vector_queries=[by_vector], query_type="semantic", query_caption="extractive", top=1
        )
        best = next(iter(results))
        assert best["filepath"] == "embeddings.md"
        assert "longer" in best["content"] or "long" in best["content"]
        assert best["@search.captions"][0].text in " ".join(best["content"].split())
        filtered = client.search(asked, vector_queries=[by_vector], filter="audience eq 'operators'")
        assert {one["filepath"] for one in filtered} == {"models.md"}
        assert client.get_document(best["id"])["content"] == best["content"]
