"""A question about one's own documents, on one machine: uploaded, indexed, searched and answered by this server."""

import json
import re
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from handbook import PAGES

QUESTION = "Where do I get the key of a company bicycle?"
MARK = re.compile(r"\[doc(\d+)\]")


@pytest.fixture(scope="module")
def client(starter_server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{starter_server.url}/openai/v1", api_key=starter_server.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def handbook(client: openai.OpenAI) -> str:
    """A vector store with a file for each page."""
    store = client.vector_stores.create(name="handbook")
    files = [(page["filepath"], f"# {page['title']}\n\n{page['content']}\n".encode()) for page in PAGES]
    batch = client.vector_stores.file_batches.upload_and_poll(store.id, files=files, poll_interval_ms=200)
    assert (batch.status, batch.file_counts.completed) == ("completed", len(PAGES))
    return store.id


def source(server: Any, index: str, **fields: Any) -> dict[str, Any]:
    key = {"type": "api_key", "key": server.key}
    return {
        "type": "azure_search",
        "parameters": {"endpoint": server.url, "index_name": index, "authentication": key, **fields},
    }


def ask(client: openai.OpenAI, data_source: dict[str, Any], *messages: Any, **fields: Any) -> Any:
    return client.chat.completions.create(
        model="gpt-4o-mini",
        messages=list(messages) or [{"role": "user", "content": QUESTION}],
        extra_body={"data_sources": [data_source]},
        temperature=0,
        max_tokens=60,
        **fields,
    )


DEPLOYMENT = {"type": "deployment_name", "deployment_name": "text-embedding-3-small"}
KINDS: dict[str, dict[str, Any]] = {
    "simple": {},
    "semantic": {"semantic_configuration": "default"},
    "vector": {"embedding_dependency": DEPLOYMENT},
    "vector_simple_hybrid": {"embedding_dependency": DEPLOYMENT},
    "vector_semantic_hybrid": {"embedding_dependency": {"type": "integrated"}, "semantic_configuration": "default"},
}


@pytest.mark.real
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_query_finds_the_page(client: openai.OpenAI, starter_server: Any, handbook: str, kind: str):
    asked = source(starter_server, "handbook", query_type=kind, top_n_documents=2, **KINDS[kind])
    answer = ask(client, asked)
    message = answer.choices[0].message
    first = message.context["citations"][0]
    assert first["filepath"] == "bicycles.md"
    assert "The key hangs at the reception." in first["content"]
    assert message.content
    marks = {int(number) for number in MARK.findall(message.content)}
    assert marks <= set(range(1, len(message.context["citations"]) + 1))
    assert answer.usage.prompt_tokens > 100


@pytest.mark.real
def test_a_stream_rests_on_the_whole_answer_s_document(client: openai.OpenAI, starter_server: Any, handbook: str):
    asked = source(starter_server, handbook, top_n_documents=2)
    question = {"role": "user", "content": "When does the library open?"}
    whole = ask(client, asked, question).choices[0].message
    chunks = [chunk.choices[0] for chunk in ask(client, asked, question, stream=True) if chunk.choices]
    assert chunks[0].delta.context == whole.context
    # Two runs of a real model may go different ways in the end, as the second has the prompt in its cache.
    for said in (whole.content, "".join(chunk.delta.content or "" for chunk in chunks)):
        assert "Tuesday and Thursday" in said
        marked = {whole.context["citations"][int(number) - 1]["filepath"] for number in MARK.findall(said)}
        assert marked == {"library.md"}


@pytest.mark.real
def test_a_follow_up_is_understood_from_the_conversation(client: openai.OpenAI, starter_server: Any, handbook: str):
    messages = [
        {"role": "user", "content": "Is there a library for employees?"},
        {"role": "assistant", "content": "Yes, there is a library."},
        {"role": "user", "content": "On which days is it open?"},
    ]
    asked = source(starter_server, "handbook", query_type="vector", embedding_dependency=DEPLOYMENT)
    context = ask(client, asked, *messages).choices[0].message.context
    assert json.loads(context["intent"])
    assert "library.md" in [one["filepath"] for one in context["citations"]]


@pytest.mark.real
def test_what_the_documents_do_not_know_is_not_made_up(client: openai.OpenAI, starter_server: Any, handbook: str):
    asked = source(
        starter_server,
        "handbook",
        query_type="vector",
        embedding_dependency=DEPLOYMENT,
        strictness=5,
        include_contexts=["citations", "all_retrieved_documents"],
    )
    message = ask(client, asked, {"role": "user", "content": "Who painted the Mona Lisa?"}).choices[0].message
    assert message.content.startswith("The requested information is not available in the retrieved data.")
    assert message.context["citations"] == []
    assert {one["filter_reason"] for one in message.context["all_retrieved_documents"]} == {"score"}


@pytest.mark.real
def test_another_key_of_another_project_finds_no_such_index(client: openai.OpenAI, starter_server: Any, handbook: str):
    asked = source(starter_server, "handbook", authentication={"type": "api_key", "key": "sk-of-nobody"})
    with pytest.raises(openai.BadRequestError, match="Azure Search Error: 40"):
        ask(client, asked)
