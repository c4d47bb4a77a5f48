"""Files go into vector stores by real jobs, in a process of their own; the model is an echo."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import sqlalchemy as sa

from serving import Served, serving
from smalt.core.settings import DeploymentSettings, Settings
from smalt.store.database import Database, default_database
from smalt.store.tables import chunks, jobs, vector_store_files, vector_stores

PIGMENTS = {
    "smalt": "Smalt is ground cobalt glass that painters bought for its blue.",
    "ochre": "Ochre is an earth that is yellow or red from the iron in it.",
    "madder": "Madder is a red dye that is pressed from the roots of a plant.",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("jobs"),
        starter=False,
        deployments={"echo": DeploymentSettings(engine="echo")},
        aliases={"text-embedding-3-small": "echo"},
    )
    with serving(settings, jobs=True) as server:
        yield server


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as made:
        yield made


def ask(served: Served, statement: Any) -> Any:
    """The rows that a statement gives, or nothing when it changes some."""

    async def run() -> Any:
        database = Database.open(default_database(served.app.state.settings.data_dir))
        try:
            if isinstance(statement, sa.Select):
                return await database.read(lambda connection: connection.execute(statement).all())
            return await database.write(lambda connection: connection.execute(statement) and None)
        finally:
            await database.close()

    return asyncio.run(run())


def until(holds: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def pigment(name: str) -> tuple[str, bytes]:
    return f"{name}.txt", PIGMENTS[name].encode()


def test_a_batch_is_brought_in_and_searched(client: openai.OpenAI) -> None:
    store = client.vector_stores.create()
    batch = client.vector_stores.file_batches.upload_and_poll(
        store.id, files=[pigment(name) for name in PIGMENTS], poll_interval_ms=100
    )
    assert (batch.status, batch.file_counts.completed) == ("completed", 3)
    page = client.vector_stores.search(store.id, query=PIGMENTS["ochre"])
    assert page.data[0].filename == "ochre.txt"
    assert page.data[0].content[0].text == PIGMENTS["ochre"]


def test_an_attachment_is_searched_with_its_attributes(client: openai.OpenAI) -> None:
    store = client.vector_stores.create()
    for name in PIGMENTS:
        client.vector_stores.files.upload_and_poll(
            vector_store_id=store.id, file=pigment(name), attributes={"name": name}, poll_interval_ms=100
        )
    filters: Any = {"type": "ne", "key": "name", "value": "ochre"}
    found = list(client.vector_stores.search(store.id, query=PIGMENTS["ochre"], filters=filters))
    assert {one.filename for one in found} == {"smalt.txt", "madder.txt"}
    assert {str((one.attributes or {})["name"]) for one in found} == {"smalt", "madder"}


def test_a_store_deleted_while_files_come_in_leaves_nothing(client: openai.OpenAI, served: Served) -> None:
    store = client.vector_stores.create()
    ids = [client.files.create(file=(f"{n}.txt", b"word " * 5000), purpose="assistants").id for n in range(12)]
    batch = client.vector_stores.file_batches.create(store.id, file_ids=ids)
    until(lambda: client.vector_stores.retrieve(store.id).file_counts.completed > 0)
    client.vector_stores.delete(store.id)
    job = sa.select(jobs.c.status).where(jobs.c.id == batch.id, jobs.c.finished_at.is_not(None))
    until(lambda: ask(served, job))
    (row,) = ask(served, sa.select(vector_stores.c.sequence).where(vector_stores.c.id == store.id))
    attached = sa.select(vector_store_files.c.sequence).where(vector_store_files.c.vector_store == row.sequence)
    until(lambda: not ask(served, attached))
    orphans = sa.select(chunks.c.file).where(chunks.c.file.not_in(sa.select(vector_store_files.c.sequence)))
    assert not ask(served, orphans)


def test_an_expired_store_is_refused_and_then_emptied(client: openai.OpenAI, served: Served) -> None:
    store = client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 1})
    client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=pigment("smalt"), poll_interval_ms=100)
    past = sa.update(vector_stores).where(vector_stores.c.id == store.id).values(expires_at=int(time.time()))
    ask(served, past)
    with pytest.raises(openai.BadRequestError, match=f"Vector store '{store.id}' has expired"):
        client.vector_stores.search(store.id, query="cobalt")
    assert client.vector_stores.retrieve(store.id).status == "expired"
    until(lambda: client.vector_stores.retrieve(store.id).usage_bytes == 0, seconds=100)
    assert client.vector_stores.files.list(store.id).data[0].status == "completed"
