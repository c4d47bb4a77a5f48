"""The open indexes of one process: how many, from where, and who may have the folder."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from indexed_stores import IndexedStore, asking
from smalt.core.settings import DatabaseSettings, RetrievalSettings, Settings
from smalt.retrieval.index import open_index
from smalt.retrieval.index.embedded import LocalIndex, worker_spec
from smalt.retrieval.index.messages import pack_query, unpack_query
from smalt.retrieval.index.worker.shelf import Shelf
from smalt.retrieval.index.worker.turnstile import Turnstile
from smalt.schemas.vector_stores import ComparisonFilter
from smalt.store.database import Database, default_database
from smalt.store.migrating import migrate


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(default_database(tmp_path))
    database = Database.open(default_database(tmp_path))
    yield database
    await database.close()


def shelf_in(folder: Path, memory_bytes: int = 2**30) -> Shelf:
    return Shelf(f"sqlite:///{default_database(folder)}", folder / "index", memory_bytes)


async def test_the_least_used_store_is_closed_when_there_are_too_many(database: Database, tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path, memory_bytes=150 * 2**20)
    stores = [await IndexedStore(database).make() for _ in range(4)]
    for store in stores:
        await store.put(["a word"])
        assert len(await shelf.search(asking(store.number, store.version, "word"))) == 1
    assert [shelf._places[store.number].store is not None for store in stores] == [False, False, True, True]
    assert len(await shelf.search(asking(stores[0].number, stores[0].version, "word"))) == 1
    await shelf.close()


async def test_a_store_that_was_saved_opens_without_reading_chunks_again(database: Database, tmp_path: Path) -> None:
    store = await IndexedStore(database).make()
    file = await store.put(["a word", "another word"])
    shelf = shelf_in(tmp_path)
    assert len(await shelf.search(asking(store.number, store.version, "word"))) == 2
    await shelf.close()
    # What nobody should do; it shows where the answer comes from.
    await database.write(lambda connection: connection.exec_driver_sql("DELETE FROM chunk_vectors"))
    await database.write(lambda connection: connection.exec_driver_sql("DELETE FROM chunks"))
    shelf = shelf_in(tmp_path)
    hits = await shelf.search(asking(store.number, store.version, "word"))
    assert [(hit.file, hit.position) for hit in hits] == [(file, 0), (file, 1)]
    assert hits[0].text_score
    await shelf.close()


async def test_callers_who_give_up_disturb_nobody(database: Database, tmp_path: Path) -> None:
    store = await IndexedStore(database).make()
    shelf = shelf_in(tmp_path)
    for turn in range(1, 16):
        await store.put([f"word {n}" for n in range(50)])
        query = asking(store.number, store.version, "word", limit=1000)
        searches = [asyncio.create_task(shelf.search(query)) for _ in range(4)]
        await asyncio.sleep(0.004 * (turn % 4))
        for search in searches[:3]:
            search.cancel()
        assert len(await searches[3]) == 50 * turn
        await asyncio.gather(*searches[:3], return_exceptions=True)
    await shelf.close()


async def test_a_second_process_with_the_same_folder_keeps_to_itself(database: Database, tmp_path: Path) -> None:
    store = await IndexedStore(database).make()
    await store.put(["a word"])
    first, second = shelf_in(tmp_path), shelf_in(tmp_path)
    for shelf in (first, second):
        assert len(await shelf.search(asking(store.number, store.version, "word"))) == 1
    own = second._folder
    assert own != first._folder
    await first.close()
    await second.close()
    assert not own.exists()


async def test_readers_share_and_a_writer_is_alone() -> None:
    turnstile, inside, most = Turnstile(), 0, 0

    async def read() -> None:
        nonlocal inside, most
        async with turnstile.reading():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    async def write() -> None:
        async with turnstile.writing():
            assert inside == 0
            await asyncio.sleep(0.01)
            assert inside == 0

    await asyncio.gather(read(), read(), write(), read(), read(), write(), read())
    assert most > 1
    assert turnstile.is_free


def test_a_query_is_the_same_on_the_other_side() -> None:
    filter_ = ComparisonFilter(type="in", key="k", value=["a", 1, True])
    query = asking(3, 4, "two words", filter=filter_, files=frozenset({5, 6}), limit=7, mode="text", text_weight=0.5)
    header, payload = pack_query(query)
    assert unpack_query(header, payload) == query


def test_the_password_is_in_the_options_alone(tmp_path: Path) -> None:
    url = "postgresql://me:secret@127.0.0.1/smalt"
    spec = worker_spec(Settings(data_dir=tmp_path, database=DatabaseSettings(url=url)))
    assert "secret" in spec.options["database"]
    assert "secret" not in repr((spec.key, spec.target, spec.memory_bytes))


async def test_without_an_engine_host_the_index_is_in_this_process(database: Database, tmp_path: Path) -> None:
    index = open_index(Settings(data_dir=tmp_path), None, database)
    assert isinstance(index, LocalIndex)
    await index.close()


def test_pgvector_needs_postgres(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, retrieval=RetrievalSettings(index="pgvector"))
    with pytest.raises(Exception, match=r"database\.url"):
        open_index(settings, None, None)


def test_the_asking_side_imports_nothing_heavy() -> None:
    program = (
        "import sys, smalt.retrieval.index.embedded, smalt.retrieval.index.messages, smalt.retrieval.search;"
        "print([name for name in ('numpy', 'faiss', 'tantivy') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
