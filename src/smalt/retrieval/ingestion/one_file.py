"""Brings one file into its vector store, from where an earlier attempt left it."""

import asyncio
import logging
import shutil
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from smalt.core.errors import ApiError
from smalt.retrieval.chunking import ChunkSizes, chunks_of
from smalt.retrieval.extraction.process import DocumentReader
from smalt.retrieval.extraction.refusal import DocumentRefused
from smalt.retrieval.ingestion.patience import patiently
from smalt.retrieval.ingestion.scratch import Scratch
from smalt.retrieval.ingestion.vectors import EmbeddingModel, HalfVectors, Lender
from smalt.retrieval.protocols import Chunk
from smalt.store import chunks as store
from smalt.store.chunks import FileInProgress, Range, StoredChunk
from smalt.store.database import Database

T = TypeVar("T")
logger = logging.getLogger(__name__)

CHUNKS_A_WRITE = 256
CHUNKS_A_BATCH = 64
BATCHES_AT_ONCE = 2
"""While one batch is written and the next one read, the model works on another."""

ATTEMPTS = 5
"""Times a file is begun anew when a runner that was taken for dead still works on it."""

LOOK_SECONDS = 1.0
"""Time between two looks whether the file is still wanted."""


class NoLongerWanted(Exception):
    """The file was removed or cancelled meanwhile, or brought on by somebody else."""


@dataclass(frozen=True)
class FileIngestion:
    """What bringing files in needs; one for all of them."""

    database: Database
    local_path: Callable[[str, Path], Awaitable[Path]]
    lender: Lender
    reader: DocumentReader
    scratch: Scratch

    async def bring_in(self, sequence: int) -> None:
        """Bring a file in; whatever is wrong with it is noted in its row, not raised."""
        attempts = 0
        while (file := await self._read(partial(store.find_in_progress, sequence=sequence))) is not None:
            if attempts == ATTEMPTS:
                await self._fail(file, "server_error", "Two job runners were in each other's way. Attach it again.")
                return
            await asyncio.sleep(LOOK_SECONDS * attempts)
            attempts += 1
            await self._attempt(file)

    async def _attempt(self, file: FileInProgress) -> None:
        try:
            await self._while_wanted(file)
        except DocumentRefused as refusal:
            await self._fail(file, refusal.code, refusal.message)
        except ApiError as error:
            await self._fail(file, "server_error", error.message)
        except NoLongerWanted:
            await self.clear(file.sequence)
        except Exception as error:
            # One file must not stop the others of its batch.
            logger.exception("a file could not be brought in", extra={"file": file.file_id})
            await self._fail(
                file, "server_error", f"It failed unexpectedly ({type(error).__name__}); the server's log has more."
            )

    async def clear(self, sequence: int) -> None:
        """Remove what there is of a file that will not be brought in."""
        while not await self._write(partial(store.drop_unwanted, file=sequence)):
            pass

    async def _while_wanted(self, file: FileInProgress) -> None:
        work = asyncio.create_task(self._work(file))
        try:
            while not work.done():
                await asyncio.wait([work], timeout=LOOK_SECONDS)
                if (
                    not work.done()
                    and await self._read(partial(store.find_in_progress, sequence=file.sequence)) is None
                ):
                    raise NoLongerWanted
            await work
        finally:
            work.cancel()
            await asyncio.wait([work])

    async def _work(self, file: FileInProgress) -> None:
        model = EmbeddingModel(self.lender, file.embedding_model)
        if not file.chunks:
            await self._make_chunks(file, model)
        await self._embed(file.sequence, model)

    async def _make_chunks(self, file: FileInProgress, model: EmbeddingModel) -> None:
        while not await self._write(partial(store.restart, file=file.sequence)):
            pass
        folder = Path(tempfile.mkdtemp(dir=self.scratch.path))
        try:
            path = await self._content(file, folder)
            async with self.reader.read(path, file.filename, folder) as document:
                sizes = ChunkSizes(file.max_chunk_size_tokens, file.chunk_overlap_tokens)
                await self._keep(file.sequence, chunks_of(document.passages(), model, sizes))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _content(self, file: FileInProgress, folder: Path) -> Path:
        digest = file.digest
        if digest is None:
            raise DocumentRefused("The file was deleted. Upload it again.")
        return await patiently(lambda: self.local_path(digest, folder))

    async def _keep(self, sequence: int, made: AsyncIterator[Chunk]) -> None:
        """Write chunks as they are made; the last write notes that all are there."""
        waiting: list[StoredChunk] = []
        async for chunk in made:
            if len(waiting) == CHUNKS_A_WRITE:
                await self._write_wanted(partial(store.add_chunks, file=sequence, added=waiting, is_last=False))
                waiting = []
            waiting.append(StoredChunk(chunk.position, chunk.text, chunk.tokens, chunk.page, chunk.heading))
        await self._write_wanted(partial(store.add_chunks, file=sequence, added=waiting, is_last=True))

    async def _embed(self, sequence: int, model: EmbeddingModel) -> None:
        """Embed what has no vectors yet, and let the file be found."""
        file = await self._read(partial(store.find_in_progress, sequence=sequence))
        if file is None:
            raise NoLongerWanted
        find = partial(store.read_missing_vectors, file=sequence, total=file.chunks, most=CHUNKS_A_BATCH)
        missing = deque(await self._read(find))
        await together(*(self._embed_ranges(sequence, model, missing) for _ in range(BATCHES_AT_ONCE)))
        # Usually the last batch has done so already.
        await self._write(partial(store.complete, file=sequence))

    async def _embed_ranges(self, sequence: int, model: EmbeddingModel, missing: deque[Range]) -> None:
        while missing:
            positions = missing.popleft()
            texts = await self._read(partial(store.read_texts_between, file=sequence, positions=positions))
            if len(texts) != positions[1] - positions[0]:
                raise NoLongerWanted
            vectors = await model.embed(texts)
            await self._write_wanted(
                partial(
                    _add_vectors,
                    file=sequence,
                    start=positions[0],
                    count=len(texts),
                    vectors=vectors,
                    is_last=not missing,
                )
            )

    async def _fail(self, file: FileInProgress, code: store.FileErrorCode, message: str) -> None:
        logger.info("a file is not brought in", extra={"file": file.file_id, "code": code, "reason": message})
        await self._write(partial(store.fail, file=file.sequence, code=code, message=message))
        await self.clear(file.sequence)

    async def _read(self, work: Callable[[sa.Connection], T]) -> T:
        return await patiently(lambda: self.database.read(work))

    async def _write(self, work: Callable[[sa.Connection], T]) -> T:
        return await patiently(lambda: self.database.write(work))

    async def _write_wanted(self, work: Callable[[sa.Connection], bool]) -> None:
        if not await self._write(work):
            raise NoLongerWanted


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Do everything at once; the first failure stops the rest, and is raised when all have stopped."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _add_vectors(
    connection: sa.Connection, *, file: int, start: int, count: int, vectors: HalfVectors, is_last: bool
) -> bool:
    is_wanted = store.add_vectors(
        connection, file, position=start, count=count, dimensions=vectors.dimensions, vectors=vectors.rows
    )
    if is_wanted and is_last:
        store.complete(connection, file)
    return is_wanted
