"""Files brought in with the real embedding model, by a real job process that is killed again and again."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from smalt.api.vector_stores.ingestion import IngestionJobs
from smalt.app.job_launcher import JobLauncher
from smalt.app.opening import Rooms, open_rooms
from smalt.core.settings import Settings, load_settings
from smalt.engines.host.launcher import HostProcess, start_host
from smalt.engines.protocols import EmbeddingEngine, TokenCounter
from smalt.retrieval.chunking import ChunkSizes, chunks_of
from smalt.retrieval.protocols import Passage
from smalt.store.files import Files, NewFile
from smalt.store.tables import chunk_vectors, chunks, vector_store_files
from smalt.store.tables import jobs as job_table
from smalt.store.vector_store_files import Attachment
from smalt.store.vector_stores import NewVectorStore, VectorStores

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

MODEL = "text-embedding-3-small"
KILLS = 3
PROSE = "\n\n".join(topics[name] for name in sorted(topics))


@pytest.fixture
def settings(starter_data_dir: Path, tmp_path: Path) -> Settings:
    (tmp_path / "models").symlink_to(starter_data_dir / "models")
    return load_settings(data_dir=tmp_path, retrieval={"ocr": False}, jobs={"poll_seconds": 0.2, "silence_seconds": 2})


@pytest.fixture
def host(settings: Settings) -> Iterator[HostProcess]:
    with start_host(settings) as host:
        yield host


@pytest.fixture
async def rooms(settings: Settings, host: HostProcess) -> AsyncIterator[Rooms]:
    async with AsyncExitStack() as stack:
        yield await open_rooms(settings, stack, host_socket=host.socket_path)


async def test_tokens_are_those_of_the_model_and_begin_where_their_letters_do(rooms: Rooms):
    text = "Smalt, unbelievably blue!"
    async with rooms.models.lease(MODEL, EmbeddingEngine) as engine:
        assert isinstance(engine, TokenCounter)
        [tokens, nothing] = await engine.token_starts([text, ""])
    pieces = [
        text[start:end].strip() for start, end in zip(tokens.starts, [*tokens.starts[1:], len(text)], strict=True)
    ]
    assert "".join(pieces) == text.replace(" ", "")
    words = [piece for piece, begins in zip(pieces, tokens.begins_word, strict=True) if begins]
    assert (words[0], words[-2:]) == ("sm".capitalize(), ["blue", "!"])
    assert len(nothing.starts) == 0


async def test_no_chunk_has_more_tokens_than_were_asked_for(rooms: Rooms):
    async with rooms.models.lease(MODEL, EmbeddingEngine) as engine:
        assert isinstance(engine, TokenCounter)
        text = PROSE[:60_000] + "x" * 5000 + "日本語のテキスト" * 200 + " ünïcödé" * 300
        found = [chunk async for chunk in chunks_of([Passage(text)], engine, ChunkSizes(100, 50))]
        usage = await engine.embed([chunk.text for chunk in found])
    assert usage.prompt_tokens == sum(chunk.tokens for chunk in found)
    assert max(chunk.tokens for chunk in found) <= 100
    assert sum(chunk.tokens for chunk in found) / len(found) > 80


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def attach(rooms: Rooms, contents: list[bytes]) -> None:
    """Upload files and attach them to a new vector store, as a client would."""
    attachments: list[Attachment] = []
    for number, content in enumerate(contents):
        blob = await rooms.blobs.put(once(content))
        new = NewFile(blob=blob, filename=f"topics{number}.txt", purpose="assistants")
        file = await Files(rooms.database).create("p", new)
        attachments.append(Attachment(file.id, 100, 50))
    stores = VectorStores(rooms.database, IngestionJobs(rooms.jobs))
    await stores.create("p", NewVectorStore(attachments=attachments), embedding_model=MODEL)


async def rows(rooms: Rooms, query: sa.Select[Any]) -> list[Any]:
    return list(await rooms.database.read(lambda connection: connection.execute(query).all()))


async def vectors(rooms: Rooms) -> dict[tuple[int, int], bytes]:
    return {(row.file, row.position): row.vectors for row in await rows(rooms, sa.select(chunk_vectors))}


async def test_kills_lose_nothing_and_repeat_nothing(settings: Settings, host: HostProcess, rooms: Rooms):
    length = 16_000
    await attach(rooms, [PROSE[start : start + length].encode() for start in range(0, 3 * length, length)])
    randomly = random.Random(7)
    kept: dict[tuple[int, int], bytes] = {}
    made: dict[int, int] = {}
    with JobLauncher(settings, host.socket_path) as launcher:
        launcher.begin()
        for _ in range(KILLS):
            while launcher.pid is None:  # noqa: ASYNC110 - it belongs to a thread
                await asyncio.sleep(0.05)
            await asyncio.sleep(randomly.uniform(1.5, 5))
            with suppress(ProcessLookupError, TypeError):
                os.kill(launcher.pid, signal.SIGKILL)
            found = await vectors(rooms)
            assert kept.items() <= found.items(), "vectors were lost or made again"
            kept = found
            for file in await rows(rooms, sa.select(vector_store_files)):
                assert file.chunks == made.get(file.sequence, file.chunks), "the file was read again"
                made |= {file.sequence: file.chunks} if file.chunks else {}
        async with asyncio.timeout(150):
            while {row.status for row in await rows(rooms, sa.select(job_table))} != {"succeeded"}:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.2)
    await everything_is_there_once(rooms)


async def everything_is_there_once(rooms: Rooms) -> None:
    for file in await rows(rooms, sa.select(vector_store_files)):
        assert (file.status, file.error_message) == ("completed", None)
        own = await rows(rooms, sa.select(chunks).where(chunks.c.file == file.sequence).order_by(chunks.c.position))
        assert [row.position for row in own] == list(range(file.chunks))
        stored = await rows(
            rooms,
            sa.select(chunk_vectors).where(chunk_vectors.c.file == file.sequence).order_by(chunk_vectors.c.position),
        )
        places = [position for row in stored for position in range(row.position, row.position + row.count)]
        assert places == list(range(file.chunks))
        size = sum(len(row.text.encode()) for row in own) + sum(len(row.vectors) for row in stored)
        assert file.usage_bytes == size
        await vectors_are_right(rooms, [row.text for row in own], b"".join(row.vectors for row in stored))


async def vectors_are_right(rooms: Rooms, texts: list[str], stored: bytes) -> None:
    found = np.frombuffer(stored, "<f2").reshape(len(texts), -1).astype(np.float32)
    some = list(range(0, len(texts), 17))
    async with rooms.models.lease(MODEL, EmbeddingEngine) as engine:
        again = await engine.embed([texts[index] for index in some])
    wanted = np.frombuffer(again.rows, "<f4").reshape(len(some), -1)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=2e-3)
    assert (found[some] * wanted).sum(axis=1).min() > 0.99
