"""Both indexes keep what every index keeps."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from contract.index_suites import ChunkIndexSuite
from indexed_stores import DIMENSIONS, IndexedStore, packed
from smalt.core.settings import DatabaseSettings, RetrievalSettings, Settings
from smalt.retrieval.index import open_index
from smalt.retrieval.protocols import ChunkIndex, Hit, IndexQuery
from smalt.schemas.vector_stores import ComparisonFilter
from smalt.store.database import Database


@pytest.fixture
async def store(url: str) -> AsyncIterator[IndexedStore]:
    database = Database.open(url)
    yield await IndexedStore(database).make()
    await database.close()


class TestEmbedded(ChunkIndexSuite):
    @pytest.fixture
    def url(self, store_url: str) -> str:
        return store_url

    @pytest.fixture
    async def index(self, store: IndexedStore, url: str, tmp_path: Path) -> AsyncIterator[ChunkIndex]:
        settings = Settings(data_dir=tmp_path, database=DatabaseSettings(url=SecretStr(url)))
        index = open_index(settings, None, store.database)
        yield index
        await index.close()


class TestPgvector(ChunkIndexSuite):
    @pytest.fixture
    def url(self, pgvector_url: str) -> str:
        return pgvector_url

    @pytest.fixture
    async def index(self, store: IndexedStore, url: str, tmp_path: Path) -> AsyncIterator[ChunkIndex]:
        retrieval = RetrievalSettings(index="pgvector")
        settings = Settings(data_dir=tmp_path, database=DatabaseSettings(url=SecretStr(url)), retrieval=retrieval)
        index = open_index(settings, None, store.database)
        yield index
        await index.close()

    async def test_the_graph_that_large_stores_use_finds_what_comparing_all_finds(
        self, index: ChunkIndex, store: IndexedStore, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        queries = await many_queries(store)
        exact = [await index.search(query) for query in queries]
        # A few thousand vectors are sorted as quickly as they are walked to; this makes PostgreSQL walk.
        await store.database.write(lambda connection: connection.execute(sa.text(WALK)))
        monkeypatch.setattr("smalt.retrieval.index.pgvector.index.EXACT_CHUNKS", 0)
        walking = Database.open(url)
        settings = Settings(data_dir=tmp_path, database=DatabaseSettings(url=SecretStr(url)))
        settings.retrieval.index = "pgvector"
        by_graph = [await open_index(settings, None, walking).search(query) for query in queries]
        plan = await walking.read(lambda connection: connection.execute(sa.text(EXPLAIN)).scalars().all())
        await walking.close()
        assert any("Index Scan using ix_smalt_index_vectors_64_vector" in line for line in plan)
        assert {len(hits) for hits in exact} == {len(hits) for hits in by_graph} == {10}
        shares = [len(keys(one) & keys(other)) / 10 for one, other in zip(exact, by_graph, strict=True)]
        assert sum(shares) / len(shares) > 0.9
        assert all(0 <= hit.score <= 1 for hits in by_graph for hit in hits)


WALK = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET enable_sort = off', current_database()); END $$"
ORIGIN = ",".join(["0"] * DIMENSIONS)
EXPLAIN = f"EXPLAIN SELECT chunk FROM smalt_index_vectors_{DIMENSIONS} ORDER BY vector <#> '[{ORIGIN}]' LIMIT 10"


async def many_queries(store: IndexedStore) -> list[IndexQuery]:
    """Queries for a store that has four thousand vectors put into it, half of them with a filter of a tenth."""
    numbers = np.random.RandomState(7)
    for file in range(40):
        rows = numbers.randn(100, DIMENSIONS).astype("<f4")
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        await store.put([f"{file} {row}" for row in range(100)], {"tenth": file % 10}, rows)
    tenth = ComparisonFilter.model_validate({"type": "eq", "key": "tenth", "value": 3})
    return [
        IndexQuery(store.number, store.version, 10, "semantic", vectors=[packed(query)], filter=filter_)
        for query in numbers.randn(10, DIMENSIONS)
        for filter_ in (None, tenth)
    ]


def keys(hits: list[Hit]) -> set[tuple[int, int]]:
    return {(hit.file, hit.position) for hit in hits}
