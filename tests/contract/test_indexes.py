"""Both indexes keep what every index keeps."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from contract.index_suites import ChunkIndexSuite
from indexed_stores import IndexedStore
from smalt.core.settings import DatabaseSettings, RetrievalSettings, Settings
from smalt.retrieval.index import open_index
from smalt.retrieval.protocols import ChunkIndex
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
