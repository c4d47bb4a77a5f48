"""Vector stores through the SDK: every operation on every mount, its limits and its errors; ingestion is played."""

import asyncio
import time

import httpx2
import openai
import pytest

from serving import new_key
from smalt.schemas.vocabulary import check_answer
from smalt.store.database import Database, default_database
from stored_vectors import Shelf


@pytest.fixture
def upload(client):
    def upload(text="Smalt is ground cobalt glass.", name="smalt.txt"):
        return client.files.create(file=(name, text.encode()), purpose="assistants").id

    return upload


@pytest.fixture
def play(echo_server):
    """Does to a file what its ingestion would do."""

    def play(file_id, *texts, status="completed"):
        async def ingest():
            database = Database.open(default_database(echo_server.app.state.settings.data_dir))
            try:
                await Shelf(database).ingest(file_id, *texts, status=status)
            finally:
                await database.close()

        asyncio.run(ingest())

    return play


def refused(error):
    return error.value.status_code, error.value.body["param"], error.value.body["message"]


def test_a_store_is_made_read_changed_and_deleted(client):
    before = int(time.time())
    expiry = {"anchor": "last_active_at", "days": 7}
    made = client.vector_stores.create(name="Papers", metadata={"team": "blue"}, expires_after=expiry)
    assert made.object == "vector_store"
    assert made.created_at >= before
    assert made.expires_at == made.last_active_at + 7 * 86400
    assert made.file_counts.model_dump() == dict.fromkeys(made.file_counts.model_dump(), 0)
    assert client.vector_stores.retrieve(made.id) == made
    changed = client.vector_stores.update(made.id, name="Books", expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_after, changed.expires_at) == (
        "Books",
        {"team": "blue"},
        None,
        None,
    )
    deleted = client.vector_stores.delete(made.id)
    assert deleted.model_dump() == {"id": made.id, "deleted": True, "object": "vector_store.deleted"}
    with pytest.raises(openai.NotFoundError) as gone:
        client.vector_stores.retrieve(made.id)
    assert refused(gone) == (404, "vector_store_id", f"No vector store found with id '{made.id}'.")


def test_the_list_iterates_over_every_store_newest_first(client):
    made = [client.vector_stores.create(name=str(number)).id for number in range(5)]
    listed = [store.id for store in client.vector_stores.list(limit=2)]
    assert [one for one in listed if one in made] == made[::-1]
    page = client.vector_stores.list(limit=2, order="asc", after=made[0])
    assert [store.id for store in page.data] == made[1:3]
    assert page.has_more
    assert (page.first_id, page.last_id) == (made[1], made[2])  # pyright: ignore[reportAttributeAccessIssue]
    back = client.vector_stores.list(limit=2, order="asc", before=made[4])
    assert [store.id for store in back.data] == made[2:4]


def test_a_file_is_attached_watched_changed_and_taken_out(client, upload, play):
    store, file_id = client.vector_stores.create(), upload()
    chunking = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}
    attributes = {"year": 2024, "draft": False, "weight": 0.5, "kind": "note"}
    made = client.vector_stores.files.create(
        store.id, file_id=file_id, attributes=attributes, chunking_strategy=chunking
    )
    assert (made.id, made.object, made.status, made.last_error) == (file_id, "vector_store.file", "in_progress", None)
    assert made.attributes == attributes
    assert made.attributes["draft"] is False
    assert made.chunking_strategy.model_dump() == chunking
    play(file_id, "Smalt is ", "ground cobalt glass.")
    done = client.vector_stores.files.poll(file_id, vector_store_id=store.id)
    assert (done.status, done.usage_bytes) == ("completed", 29)
    assert client.vector_stores.retrieve(store.id).file_counts.completed == 1
    changed = client.vector_stores.files.update(file_id, vector_store_id=store.id, attributes={"year": 2025})
    assert changed.attributes == {"year": 2025}
    content = client.vector_stores.files.content(file_id, vector_store_id=store.id)
    assert "".join(part.text for part in content) == "Smalt is ground cobalt glass."
    deleted = client.vector_stores.files.delete(file_id, vector_store_id=store.id)
    assert deleted.model_dump() == {"id": file_id, "deleted": True, "object": "vector_store.file.deleted"}
    assert client.files.retrieve(file_id).id == file_id
    with pytest.raises(openai.NotFoundError) as gone:
        client.vector_stores.files.retrieve(file_id, vector_store_id=store.id)
    assert refused(gone)[:2] == (404, "file_id")
    assert f"No file found with id '{file_id}'" in refused(gone)[2]


def test_a_deleted_file_leaves_its_stores(client, upload):
    file_id = upload()
    store = client.vector_stores.create(file_ids=[file_id])
    assert client.vector_stores.retrieve(store.id).status == "in_progress"
    client.files.delete(file_id)
    after = client.vector_stores.retrieve(store.id)
    assert (after.status, after.file_counts.total) == ("completed", 0)


def test_a_batch_is_made_counted_listed_and_cancelled(client, upload, play):
    store = client.vector_stores.create()
    one, two, three = upload(), upload(), upload()
    batch = client.vector_stores.file_batches.create(store.id, file_ids=[one, two, three], attributes={"set": "a"})
    assert (batch.object, batch.status, batch.file_counts.in_progress) == ("vector_store.files_batch", "in_progress", 3)
    play(one, "text")
    files = client.vector_stores.file_batches
    listed = [file.id for file in files.list_files(batch.id, vector_store_id=store.id, order="asc", limit=2)]
    assert listed == [one, two, three]
    finished = files.list_files(batch.id, vector_store_id=store.id, filter="completed").data
    assert [(file.id, file.attributes) for file in finished] == [(one, {"set": "a"})]
    cancelled = files.cancel(batch.id, vector_store_id=store.id)
    assert (cancelled.status, cancelled.file_counts.completed, cancelled.file_counts.cancelled) == ("cancelled", 1, 2)
    assert files.retrieve(batch.id, vector_store_id=store.id) == cancelled
    assert client.vector_stores.files.retrieve(two, vector_store_id=store.id).status == "cancelled"


def test_files_of_a_batch_may_have_options_of_their_own(client, upload):
    store, one, two = client.vector_stores.create(), upload(), upload()
    chunking = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}
    client.vector_stores.file_batches.create(
        store.id, files=[{"file_id": one, "attributes": {"n": 1}}, {"file_id": two, "chunking_strategy": chunking}]
    )
    first, second = (client.vector_stores.files.retrieve(each, vector_store_id=store.id) for each in (one, two))
    assert (first.attributes, second.attributes) == ({"n": 1}, {})
    assert first.chunking_strategy.static.max_chunk_size_tokens == 800
    assert second.chunking_strategy.model_dump() == chunking


def test_a_search_answers_a_page_with_the_query(client):
    store = client.vector_stores.create()
    page = client.vector_stores.search(
        store.id, query=["cobalt", "glass"], filters={"type": "eq", "key": "a", "value": 1}
    )
    assert (page.object, page.data) == ("vector_store.search_results.page", [])
    assert page.search_query == ["cobalt", "glass"]
    rewritten = client.vector_stores.search(store.id, query="Please tell me what smalt is", rewrite_query=True)
    assert rewritten.search_query != ["Please tell me what smalt is"]
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.search("vs_none", query="cobalt")


def test_another_project_finds_nothing(client, echo_server, upload):
    settings = echo_server.app.state.settings
    key = asyncio.run(new_key(settings.data_dir, project="other"))
    time.sleep(1.1)  # a server knows of a new key within a second
    file_id = upload()
    store = client.vector_stores.create(file_ids=[file_id])
    with openai.OpenAI(base_url=echo_server.url + "/v1", api_key=key, max_retries=0) as other:
        stores = other.vector_stores
        assert store.id not in [one.id for one in stores.list()]
        theirs = other.files.create(file=("a.txt", b"a"), purpose="assistants").id
        for attempt in (
            lambda: stores.retrieve(store.id),
            lambda: stores.update(store.id, name="x"),
            lambda: stores.delete(store.id),
            lambda: stores.search(store.id, query="x"),
            lambda: stores.files.create(store.id, file_id=theirs),
            lambda: stores.files.list(store.id),
            lambda: stores.files.retrieve(file_id, vector_store_id=store.id),
            lambda: stores.files.update(file_id, vector_store_id=store.id, attributes={}),
            lambda: stores.files.delete(file_id, vector_store_id=store.id),
            lambda: stores.files.content(file_id, vector_store_id=store.id),
            lambda: stores.file_batches.create(store.id, file_ids=[theirs]),
        ):
            with pytest.raises(openai.NotFoundError):
                attempt()
        with pytest.raises(openai.NotFoundError, match="No file found with id"):
            stores.create(file_ids=[file_id])


CHUNKS = {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 101}
DEEP = {"type": "eq", "key": "a", "value": 1}
for _ in range(40):
    DEEP = {"type": "and", "filters": [DEEP]}
WIDE = {"type": "or", "filters": [{"type": "eq", "key": "a", "value": number} for number in range(256)]}


@pytest.mark.parametrize(
    ("path", "body", "param", "said"),
    [
        ("", {"metadata": {str(n): "" for n in range(17)}}, "metadata", "at most 16 properties"),
        ("", {"metadata": {"a": 1}}, "metadata.a", "expected a string"),
        ("", {"expires_after": {"anchor": "last_active_at", "days": 366}}, "expires_after.days", "<= 365"),
        ("", {"expires_after": {"anchor": "created_at", "days": 1}}, "expires_after.anchor", "last_active_at"),
        ("", {"file_ids": ["f"] * 501}, "file_ids", "maximum length 500"),
        ("", {"file_ids": ["file-none"]}, "file_ids[0]", "No file found with id 'file-none'"),
        ("", {"name": 5}, "name", "expected a string"),
        ("", {"name": "a\0b"}, "name", "pattern"),
        ("", {"chunking_strategy": {"type": "other"}}, "chunking_strategy.type", "'auto', 'static'"),
        (
            "",
            {"chunking_strategy": {"type": "static", "static": CHUNKS}},
            "chunking_strategy.static.chunk_overlap_tokens",
            "half of max_chunk_size_tokens, which is 100",
        ),
        (
            "",
            {"chunking_strategy": {"type": "static", "static": {**CHUNKS, "max_chunk_size_tokens": 99}}},
            "chunking_strategy.static.max_chunk_size_tokens",
            ">= 100",
        ),
        ("/files", {}, "file_id", "Missing required parameter"),
        ("/files", {"file_id": "file-none"}, "file_id", "No file found with id 'file-none'"),
        ("/files", {"file_id": "f", "attributes": {"a": "x" * 513}}, "attributes.a", "maximum length 512"),
        ("/files", {"file_id": "f", "attributes": {"a": []}}, "attributes.a", "got an array"),
        ("/files", {"file_id": "f", "attributes": {str(n): n for n in range(17)}}, "attributes", "at most 16"),
        ("/file_batches", {}, "file_ids", "Missing required parameter: 'file_ids'"),
        ("/file_batches", {"file_ids": []}, "file_ids", "empty array"),
        ("/file_batches", {"file_ids": ["f"] * 2001}, "file_ids", "maximum length 2000"),
        ("/file_batches", {"file_ids": ["f"], "files": [{"file_id": "f"}]}, "files", "together with file_ids"),
        ("/file_batches", {"files": [{"file_id": "f"}, {"file_id": "f"}]}, "files", "is there 2 times"),
        ("/file_batches", {"files": [{"file_id": "none"}]}, "files[0].file_id", "No file found with id 'none'"),
        ("/search", {}, "query", "Missing required parameter"),
        ("/search", {"query": ""}, "query", "empty string"),
        ("/search", {"query": []}, "query", "empty array"),
        ("/search", {"query": "a", "max_num_results": 51}, "max_num_results", "<= 50"),
        ("/search", {"query": "a", "ranking_options": {"ranker": "best"}}, "ranking_options.ranker", "'none', 'auto'"),
        (
            "/search",
            {"query": "a", "ranking_options": {"score_threshold": 1.5}},
            "ranking_options.score_threshold",
            "<= 1",
        ),
        ("/search", {"query": "a", "filters": {"type": "like", "key": "a", "value": 1}}, "filters.type", "'nin'"),
        (
            "/search",
            {"query": "a", "filters": {"type": "in", "key": "a", "value": 1}},
            "filters.value",
            "takes an array",
        ),
        ("/search", {"query": "a", "filters": {"type": "eq", "key": "a", "value": [1]}}, "filters.value", "one value"),
        ("/search", {"query": "a", "filters": {"type": "gt", "key": "a", "value": True}}, "filters.value", "a boolean"),
        ("/search", {"query": "a", "filters": DEEP}, "filters", "deeper than 16 levels"),
        ("/search", {"query": "a", "filters": WIDE}, "filters", "more than 256 parts"),
    ],
)
def test_a_fault_is_named(echo_server, path, body, param, said):
    headers = {"Authorization": f"Bearer {echo_server.key}"}
    with httpx2.Client(base_url=f"{echo_server.url}/v1", headers=headers) as http:
        store = http.post("/vector_stores", json={}).json()["id"]
        answer = http.post(f"/vector_stores/{store}{path}" if path else "/vector_stores", json=body)
    error = answer.json()["error"]
    assert answer.status_code in {400, 404}
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert said in error["message"]


def test_unknown_fields_and_numbers_as_they_are_pass(echo_server):
    headers = {"Authorization": f"Bearer {echo_server.key}"}
    with httpx2.Client(base_url=f"{echo_server.url}/v1", headers=headers) as http:
        made = http.post("/vector_stores", json={"name": "a", "mood": "new", "description": "what"}).json()
    assert (made["name"], made["description"]) == ("a", "what")
    assert "mood" not in made


def test_answers_have_the_reference_s_shape(echo_server, play):
    headers = {"Authorization": f"Bearer {echo_server.key}"}
    with httpx2.Client(base_url=f"{echo_server.url}/v1", headers=headers) as http:

        def check(name, path, body=None):
            answer = (http.get(path) if body is None else http.post(path, json=body)).json()
            check_answer(name, answer)
            return answer

        uploads = [http.post("/files", data={"purpose": "assistants"}, files={"file": ("a.txt", b"a")}) for _ in "ab"]
        done, failed = (answer.json()["id"] for answer in uploads)
        expiry = {"anchor": "last_active_at", "days": 1}
        store = check("VectorStoreObject", "/vector_stores", {"file_ids": [done], "expires_after": expiry})["id"]
        base = f"/vector_stores/{store}"
        check("VectorStoreFileObject", f"{base}/files", {"file_id": failed, "attributes": {"a": 1}})
        batch = check("VectorStoreFileBatchObject", f"{base}/file_batches", {"file_ids": [done]})["id"]
        play(done, "text")
        play(failed, status="failed")
        check("VectorStoreObject", base)
        check("ListVectorStoresResponse", "/vector_stores")
        check("ListVectorStoreFilesResponse", f"{base}/files")
        check("ListVectorStoreFilesResponse", f"{base}/file_batches/{batch}/files")
        check("VectorStoreFileBatchObject", f"{base}/file_batches/{batch}/cancel", {})
        check("VectorStoreFileContentResponse", f"{base}/files/{done}/content")
        check("VectorStoreSearchResultsPage", f"{base}/search", {"query": "text"})
        check_answer("DeleteVectorStoreFileResponse", http.delete(f"{base}/files/{done}").json())
        check_answer("DeleteVectorStoreResponse", http.delete(base).json())
