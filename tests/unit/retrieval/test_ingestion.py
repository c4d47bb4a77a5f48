"""The job that brings files in: whole, once, visible while it runs, and stopped when nobody wants it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import documents
from ingesting import DirectContext, OneModel, Shelf, until
from smalt.core.errors import EngineFailed, NotInstalled, Unavailable
from smalt.core.settings import Settings
from smalt.engines.echo.vectors import vectors
from smalt.engines.protocols import Embeddings
from smalt.jobs.protocols import NewJob
from smalt.retrieval.ingestion import IngestHandler
from smalt.store.chunks import StoredChunk, add_chunks, drop_unwanted, read_chunks, restart
from smalt.store.database import Database

LONG = " ".join(f"Sentence {number} tells of smalt." for number in range(4000))


@dataclass
class Embedder:
    """Embeds as an echo does, and fails or dawdles as a test wants; remembers what it was given."""

    failures: list[Exception] = field(default_factory=list)
    seconds: float = 0.0
    given: list[Sequence[str]] = field(default_factory=list)
    scale: float = 3.0

    async def embed(self, inputs: Sequence[str], dimensions: int | None = None) -> Embeddings:
        await asyncio.sleep(self.seconds)
        if self.failures:
            raise self.failures.pop(0)
        self.given.append(inputs)
        made = vectors(inputs, 16, dimensions, model="m")
        rows = (self.scale * np.frombuffer(made.rows, "<f4")).astype("<f4").tobytes()
        return Embeddings(rows, made.dimensions, made.prompt_tokens)

    @property
    def texts(self) -> list[str]:
        return [text for batch in self.given for text in batch]


@pytest.fixture
async def shelf(store_url: str, tmp_path: Path) -> AsyncIterator[Shelf]:
    database = Database.open(store_url)
    yield Shelf(database, tmp_path)
    await database.close()


@pytest.fixture
async def ingest(shelf: Shelf, tmp_path: Path) -> AsyncIterator[Any]:
    """Make a handler over an engine."""
    handlers: list[IngestHandler] = []

    def make(engine: Any, **settings: Any) -> IngestHandler:
        chosen = Settings(data_dir=tmp_path / "data", retrieval={"ocr": False}, **settings)
        handler = IngestHandler(chosen, shelf.database, shelf.local_path, OneModel(engine))
        handlers.append(handler)
        return handler

    yield make
    for handler in handlers:
        await handler.close()


async def embedded_right(shelf: Shelf, sequence: int) -> list[str]:
    """The texts of a completed file; fails unless every one has its own vector, of unit length."""
    row, chunks, found = await shelf.row(sequence), await shelf.chunks(sequence), await shelf.vectors(sequence)
    assert (row.status, row.error_code) == ("completed", None)
    assert row.chunks == len(chunks) == len(found)
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    texts = [chunk.text for chunk in chunks]
    wanted = np.frombuffer(vectors(texts, 16, model="m").rows, "<f4").reshape(-1, 16)
    assert np.allclose(found, wanted, atol=2e-3)
    assert row.usage_bytes == sum(len(text.encode()) for text in texts) + found.nbytes
    return texts


async def test_a_file_becomes_chunks_with_vectors_that_can_be_found(shelf, ingest):
    sequence = await shelf.attach(LONG.encode())
    before = await shelf.store_version()
    context = DirectContext({"files": [sequence]})
    await ingest(Embedder()).run(context)
    texts = await embedded_right(shelf, sequence)
    assert texts[0].startswith("Sentence 0 ")
    assert texts[-1].endswith("Sentence 3999 tells of smalt.")
    row = await shelf.row(sequence)
    assert row.version == await shelf.store_version() > before
    assert context.reports[-1] == {
        "files": {"total": 1, "ended": 1},
        "chunks": {"total": len(texts), "embedded": len(texts)},
    }


async def test_chunks_are_read_back_by_their_keys(shelf, ingest):
    content = documents.docx(("heading 1", "Smalt"), ("", "Blue glass."))
    sequence = await shelf.attach(content, "a.docx")
    await ingest(Embedder()).run(DirectContext({"files": [sequence]}))
    found = await shelf.database.read(lambda connection: read_chunks(connection, [(sequence, 0), (sequence, 7)]))
    assert set(found) == {(sequence, 0)}
    chunk = found[sequence, 0]
    assert (chunk.text, chunk.heading, chunk.page, chunk.tokens) == ("Smalt\n\nBlue glass.", "Smalt", None, 4)


async def test_chunk_sizes_are_those_of_the_file(shelf, ingest):
    sequence = await shelf.attach(LONG.encode(), most=100, overlap=0)
    await ingest(Embedder()).run(DirectContext({"files": [sequence]}))
    tokens = [chunk.tokens for chunk in await shelf.chunks(sequence)]
    assert 80 < sum(tokens) / len(tokens) <= max(tokens) <= 100


async def test_one_bad_file_does_not_stop_the_others(shelf, ingest):
    good = [await shelf.attach(f"File {number}.".encode()) for number in range(4)]
    encrypted = await shelf.attach(b"%PDF-1.4 nonsense", "a.pdf")
    binary = await shelf.attach(bytes(range(256)) * 9, "a.bin")
    empty = await shelf.attach(b" ", "empty.txt")
    await ingest(Embedder()).run(DirectContext({"files": [*good, encrypted, binary, empty]}))
    for sequence in good:
        await embedded_right(shelf, sequence)
    found = [await shelf.row(sequence) for sequence in (encrypted, binary, empty)]
    assert [(row.status, row.error_code) for row in found] == [
        ("failed", "invalid_file"),
        ("failed", "unsupported_file"),
        ("failed", "invalid_file"),
    ]
    assert ["damaged" in found[0].error_message, ".docx" in found[1].error_message] == [True, True]
    assert all("Traceback" not in row.error_message for row in found)


async def test_a_missing_model_is_told_with_the_command_that_installs_it(shelf, ingest):
    sequence = await shelf.attach(b"text")
    await ingest(Embedder([NotInstalled("Fetch it with: smalt models pull m")])).run(
        DirectContext({"files": [sequence]})
    )
    row = await shelf.row(sequence)
    assert (row.status, row.error_code) == ("failed", "server_error")
    assert row.error_message == "Fetch it with: smalt models pull m"
    assert (row.chunks, row.usage_bytes, len(await shelf.chunks(sequence))) == (0, 0, 0)


async def test_failures_that_pass_are_waited_for(shelf, ingest):
    sequence = await shelf.attach(LONG.encode())
    embedder = Embedder([Unavailable("busy", retry_after=0), EngineFailed("the worker stopped")])
    await ingest(embedder).run(DirectContext({"files": [sequence]}))
    await embedded_right(shelf, sequence)


async def test_nonsense_from_the_model_fails_the_file(shelf, ingest):
    sequence = await shelf.attach(b"text")
    await ingest(Embedder(scale=float("inf"))).run(DirectContext({"files": [sequence]}))
    row = await shelf.row(sequence)
    assert (row.status, row.error_code) == ("failed", "server_error")
    assert "infinite" in row.error_message


async def test_a_stopped_job_goes_on_where_it_was(shelf, ingest):
    sequence = await shelf.attach(LONG.encode(), most=100, overlap=50)
    first, second = Embedder(seconds=0.05), Embedder()
    running = asyncio.create_task(ingest(first).run(DirectContext({"files": [sequence]})))
    await until(lambda: _has(shelf, sequence, vectors_of=100))
    running.cancel()
    await asyncio.wait([running])
    reads = list(shelf.reads)
    kept = await shelf.embedded(sequence)
    await ingest(second).run(DirectContext({"files": [sequence]}))
    texts = await embedded_right(shelf, sequence)
    assert shelf.reads == reads, "the file was read again"
    assert len(second.texts) == len(texts) - kept, "vectors were made again"


async def test_chunks_that_were_half_written_are_written_again(shelf, ingest):
    sequence = await shelf.attach(LONG.encode(), most=100, overlap=50)
    await ingest(Embedder()).run(DirectContext({"files": [sequence]}))
    texts = await embedded_right(shelf, sequence)
    # As after a kill between two writes of chunks.
    await shelf.change(sequence, status="in_progress", chunks=0, usage_bytes=123)
    await ingest(Embedder()).run(DirectContext({"files": [sequence]}))
    assert await embedded_right(shelf, sequence) == texts


async def test_what_has_ended_is_left_alone(shelf, ingest):
    sequence = await shelf.attach(b"text")
    await ingest(Embedder()).run(DirectContext({"files": [sequence]}))
    version, again = await shelf.store_version(), Embedder()
    await ingest(again).run(DirectContext({"files": [sequence]}))
    assert again.given == []
    assert await shelf.store_version() == version


@pytest.mark.parametrize("change", [{"status": "cancelled"}, {"deleted_at": 1}])
async def test_a_file_that_is_not_wanted_any_more_is_dropped(shelf, ingest, change):
    sequence = await shelf.attach(LONG.encode(), most=100, overlap=50)
    embedder = Embedder(seconds=0.2)
    running = asyncio.create_task(ingest(embedder).run(DirectContext({"files": [sequence]})))
    await until(lambda: _has(shelf, sequence, vectors_of=1))
    await shelf.change(sequence, **change)
    async with asyncio.timeout(10):
        await running
    assert (await shelf.row(sequence)).status == change.get("status", "in_progress")
    assert await shelf.chunks(sequence) == []
    assert await shelf.embedded(sequence) == 0


async def test_usage_grows_while_a_file_is_brought_in(shelf, ingest):
    sequence = await shelf.attach(LONG.encode(), most=100, overlap=50)
    running = asyncio.create_task(ingest(Embedder(seconds=0.1)).run(DirectContext({"files": [sequence]})))
    seen = set[int]()
    while not running.done():
        seen.add((await shelf.row(sequence)).usage_bytes)
        await asyncio.sleep(0.02)
    await running
    assert len(seen) > 3


async def test_as_many_files_are_brought_in_at_once_as_the_settings_say(shelf, ingest):
    sequences = [await shelf.attach(f"File {number}.".encode()) for number in range(6)]
    busy = Counting(3)
    await ingest(busy, jobs={"ingestion": 3}).run(DirectContext({"files": sequences}))
    assert busy.most == 3


@dataclass
class Counting:
    """Counts how many calls it works on at once; none ends before there were as many as are expected."""

    expected: int
    now: int = 0
    most: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def embed(self, inputs: Sequence[str], dimensions: int | None = None) -> Embeddings:
        self.now += 1
        self.most = max(self.most, self.now)
        if self.most >= self.expected:
            self.enough.set()
        await self.enough.wait()
        # One more than the settings allow would come now.
        await asyncio.sleep(0.3)
        self.now -= 1
        return vectors(inputs, 16, dimensions, model="m")


@pytest.mark.parametrize(("status", "code"), [("failed", "server_error"), ("cancelled", None)])
async def test_a_job_that_ends_early_marks_its_files(shelf, ingest, status, code):
    sequences = [await shelf.attach(b"text") for _ in range(3)]
    await shelf.change(sequences[0], status="completed")
    job = NewJob("ingest_1", "ingest", "p", "ingestion", {"files": sequences})
    handler = ingest(Embedder())
    for _ in range(2):
        await handler.ended_early(job, status, "It was begun too often.")
    rows = [await shelf.row(sequence) for sequence in sequences]
    assert [row.status for row in rows] == ["completed", status, status]
    assert rows[1].error_code == code
    assert status == "cancelled" or "begun too often" in rows[1].error_message


async def _has(shelf: Shelf, sequence: int, *, vectors_of: int) -> bool:
    return await shelf.embedded(sequence) >= vectors_of


async def test_a_file_completed_in_the_last_moment_keeps_its_chunks_when_it_is_taken_for_unwanted(shelf, ingest):
    sequence = await shelf.attach(LONG.encode())
    await ingest(Embedder()).run(DirectContext({"files": [sequence]}))
    assert await shelf.database.write(partial(drop_unwanted, file=sequence))
    await embedded_right(shelf, sequence)


async def test_two_runners_at_the_same_file_lose_none_of_it(shelf, ingest):
    sequence = await shelf.attach(LONG.encode())
    jobs = [ingest(Embedder()).run(DirectContext({"files": [sequence]})) for _ in range(2)]
    await asyncio.gather(*jobs)
    await embedded_right(shelf, sequence)


async def test_an_attempt_that_was_overtaken_neither_removes_nor_adds_chunks(shelf, ingest):
    sequence = await shelf.attach(LONG.encode())
    await ingest(Embedder()).run(DirectContext({"files": [sequence]}))
    await shelf.change(sequence, status="in_progress")
    assert await shelf.database.write(partial(restart, file=sequence))
    assert not await shelf.database.write(partial(add_chunks, file=sequence, added=[StoredChunk(0, "again", 1)]))
    await shelf.change(sequence, status="completed")
    await embedded_right(shelf, sequence)
