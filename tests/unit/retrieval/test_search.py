"""Searching a vector store: the right store, the right model, what is still there, and scores that mean something."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from kept_documents import Kept, keep_files, keep_store
from smalt.app.opening import Rooms, open_rooms
from smalt.core.clock import now
from smalt.core.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound, NotFound
from smalt.core.settings import DeploymentSettings, RetrievalSettings, Settings
from smalt.engines.protocols import EmbeddingEngine
from smalt.retrieval.protocols import Found, IndexQuery, SearchQuery
from smalt.retrieval.search import Search
from smalt.schemas.vector_stores import ComparisonFilter
from smalt.store.tables import files, vector_store_files, vector_stores
from smalt.store.vector_stores import bump

WHALES = Kept(
    "whales.txt",
    ["Blue whales eat krill in cold water.", "Whales breathe air through a blowhole."],
    {"kingdom": "animals", "year": 2019},
)
ROCKS = Kept("rocks.txt", ["Granite is made of quartz and feldspar."], {"kingdom": "minerals", "year": 2021})


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    deployments = {
        "echo": DeploymentSettings(engine="echo"),
        "talker": DeploymentSettings(engine="echo"),
        "babbler": DeploymentSettings(engine="echo", options={"tokens": 500}),
        "broken": DeploymentSettings(engine="echo", options={"fail_after": 0}),
    }
    settings = Settings(
        data_dir=tmp_path, starter=False, deployments=deployments, aliases={"text-embedding-3-small": "echo"}
    )
    async with AsyncExitStack() as stack:
        yield await open_rooms(settings, stack, host_socket=None)


@pytest.fixture
async def store(rooms: Rooms) -> str:
    return await kept(rooms, [WHALES, ROCKS])


async def kept(rooms: Rooms, documents: list[Kept], **columns: object) -> str:
    async def embed(texts: object) -> list[bytes]:
        return await vectors_of(rooms, list(texts))  # type: ignore[call-overload]

    return await keep_store(rooms.database, documents, embed, **columns)  # type: ignore[arg-type]


async def vectors_of(rooms: Rooms, texts: list[str]) -> list[bytes]:
    async with rooms.models.lease("echo", EmbeddingEngine) as engine:
        embedded = await engine.embed(texts)
    size = embedded.dimensions * 4
    return [embedded.rows[start : start + size] for start in range(0, len(embedded.rows), size)]


async def test_a_chunk_s_own_words_find_it_first_with_a_score_near_one(rooms: Rooms, store: str):
    found = await rooms.search.search("default", store, SearchQuery([WHALES.texts[1]], limit=2))
    assert [found[0].text, found[0].filename, found[0].position] == [WHALES.texts[1], "whales.txt", 1]
    assert found[0].attributes == {"kingdom": "animals", "year": 2019}
    # An echo's vector is the same for the same text, and words that fill a chunk reach most of what words can.
    assert found[0].vector_score == pytest.approx(1.0, abs=0.01)
    assert 1.0 >= found[0].score > found[1].score >= 0.0


async def test_words_alone_need_no_model(rooms: Rooms):
    store = await kept(rooms, [WHALES, ROCKS], model="gone")
    found = await rooms.search.search("default", store, SearchQuery(["granite"], mode="text"))
    assert [one.text for one in found] == ROCKS.texts
    with pytest.raises(ModelNotFound):
        await rooms.search.search("default", store, SearchQuery(["granite"]))


async def test_the_ranker_none_ranks_by_meaning_alone(rooms: Rooms, store: str):
    found = await rooms.search.search("default", store, SearchQuery([ROCKS.texts[0]], ranker="none"))
    assert found[0].text == ROCKS.texts[0]
    assert all(one.text_score is None and one.score == one.vector_score for one in found)


async def test_several_queries_find_what_one_of_them_fits(rooms: Rooms, store: str):
    found = await rooms.search.search("default", store, SearchQuery([WHALES.texts[0], ROCKS.texts[0]], limit=2))
    assert {one.text for one in found} == {WHALES.texts[0], ROCKS.texts[0]}


async def test_the_threshold_leaves_out_what_scores_less(rooms: Rooms, store: str):
    query = SearchQuery([ROCKS.texts[0]], limit=3, score_threshold=0.6)
    assert [one.text for one in await rooms.search.search("default", store, query)] == ROCKS.texts


async def test_a_filter_looks_at_the_attributes_of_files(rooms: Rooms, store: str):
    old = ComparisonFilter(type="lt", key="year", value=2020)
    found = await rooms.search.search("default", store, SearchQuery([ROCKS.texts[0]], filter=old))
    assert {one.filename for one in found} == {"whales.txt"}


async def test_weights_move_the_score_from_one_side_to_the_other(rooms: Rooms, store: str):
    async def weighed(vector: float, text: float) -> Found:
        query = SearchQuery(["krill"], vector_weight=vector, text_weight=text)
        found = await rooms.search.search("default", store, query)
        return next(one for one in found if one.text == WHALES.texts[0])

    words, meaning, both = await weighed(0, 1), await weighed(2, 0), await weighed(1, 3)
    assert (words.score, words.vector_score) == (words.text_score, None)
    assert (meaning.score, meaning.text_score) == (meaning.vector_score, None)
    assert both.score == pytest.approx((meaning.score + 3 * words.score) / 4, abs=0.001)


async def test_a_query_by_vector_embeds_nothing(rooms: Rooms):
    store = await kept(rooms, [WHALES, ROCKS], model="gone")
    vector = (await vectors_of(rooms, [ROCKS.texts[0]]))[0]
    found = await rooms.search.search("default", store, SearchQuery([], mode="semantic", vectors=[vector], limit=1))
    assert [one.text for one in found] == ROCKS.texts


async def test_another_project_s_store_is_not_found(rooms: Rooms, store: str):
    with pytest.raises(NotFound, match="No vector store found"):
        await rooms.search.search("other", store, SearchQuery(["granite"]))


async def test_an_expired_store_is_refused_even_before_the_sweep(rooms: Rooms):
    store = await kept(rooms, [ROCKS], expires_after_days=1, expires_at=now() - 1)
    with pytest.raises(InvalidRequest, match="has expired"):
        await rooms.search.search("default", store, SearchQuery(["granite"]))


async def test_a_file_that_is_added_is_found_at_once_and_one_that_is_removed_is_not(rooms: Rooms, store: str):
    async def embed(texts: object) -> list[bytes]:
        return await vectors_of(rooms, list(texts))  # type: ignore[call-overload]

    query = SearchQuery(["feldspar moss"], mode="text")
    await keep_files(rooms.database, store, [Kept("moss.txt", ["Moss grows on stone."])], embed)
    assert {one.filename for one in await rooms.search.search("default", store, query)} == {"rocks.txt", "moss.txt"}
    await rooms.database.write(lambda connection: remove(connection, "rocks.txt"))
    assert {one.filename for one in await rooms.search.search("default", store, query)} == {"moss.txt"}


async def test_what_is_removed_while_the_index_searches_is_left_out(rooms: Rooms, store: str):
    class Removing:
        """An index that loses a file between finding it and telling."""

        async def search(self, query: IndexQuery) -> object:
            hits = await rooms.index.search(query)
            await rooms.database.write(lambda connection: remove(connection, "rocks.txt"))
            return hits

    search = Search(RetrievalSettings(), rooms.database, rooms.models, Removing())  # type: ignore[arg-type]
    found = await search.search("default", store, SearchQuery(["whales granite"], limit=10))
    assert {one.filename for one in found} == {"whales.txt"}


async def test_a_file_that_has_expired_is_not_found_even_before_the_sweep(rooms: Rooms, store: str):
    expire = sa.update(files).where(files.c.filename == "rocks.txt").values(expires_at=now())
    await rooms.database.write(lambda connection: connection.execute(expire))
    assert await rooms.search.search("default", store, SearchQuery(["granite"], mode="text")) == []


async def test_a_query_too_long_for_the_model_says_so(rooms: Rooms, store: str):
    class Short:
        """Lends a model with a small context."""

        @asynccontextmanager
        async def lease(self, *_: object) -> AsyncGenerator["Short"]:
            yield self

        async def embed(self, *_: object) -> None:
            raise ContextLengthExceeded("This model's maximum context length is 8 tokens.", param="input")

    search = Search(RetrievalSettings(), rooms.database, Short(), rooms.index)  # type: ignore[arg-type]
    with pytest.raises(ContextLengthExceeded, match="The query is too long") as caught:
        await search.search("default", store, SearchQuery(["granite " * 20]))
    assert caught.value.param == "query"


async def test_a_search_notes_the_use_of_a_store_once_a_minute(rooms: Rooms):
    store = await kept(rooms, [ROCKS], last_active_at=now() - 3600, expires_after_days=1, expires_at=now() + 60)
    await asyncio.gather(*(rooms.search.search("default", store, SearchQuery(["granite"])) for _ in range(5)))
    await rooms.search.close()
    row = await rooms.database.read(lambda connection: connection.execute(sa.select(vector_stores)).one())
    assert row.last_active_at >= now() - 5
    assert row.expires_at >= now() + 86000


async def test_without_a_model_a_query_loses_its_padding(rooms: Rooms):
    assert await rooms.search.rewrite("Could you please tell me what granite is?") == "what granite is?"


@pytest.mark.parametrize(
    ("model", "rewritten"), [("talker", "Hello! granite hardness"), ("babbler", "granite hardness")]
)
async def test_a_rewrite_model_s_words_count_only_when_they_are_a_query(rooms: Rooms, model: str, rewritten: str):
    search = Search(RetrievalSettings(rewrite_model=model), rooms.database, rooms.models, rooms.index)
    assert await search.rewrite("Hello! granite hardness") == rewritten


@pytest.mark.parametrize("model", ["broken", "nowhere"])
async def test_a_rewrite_model_that_fails_leaves_the_rules(rooms: Rooms, model: str):
    search = Search(RetrievalSettings(rewrite_model=model), rooms.database, rooms.models, rooms.index)
    assert await search.rewrite("Hello, what is granite? Thanks!") == "what is granite?"


def remove(connection: sa.Connection, filename: str) -> None:
    """What detaching a file does."""
    owner = sa.select(vector_store_files).join(files, files.c.id == vector_store_files.c.file_id)
    row = connection.execute(owner.where(files.c.filename == filename)).first()
    if row is not None and row.deleted_at is None:
        gone = sa.update(vector_store_files).where(vector_store_files.c.sequence == row.sequence)
        connection.execute(gone.values(deleted_at=now(), version=bump(connection, row.vector_store)))
