"""The job `ingest`: brings the files of a batch, or a few files, into their vector stores."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from smalt.core.settings import Settings
from smalt.jobs.protocols import JobContext, NewJob
from smalt.retrieval.extraction.process import DocumentReader
from smalt.retrieval.ingestion.one_file import FileIngestion, together
from smalt.retrieval.ingestion.scratch import Scratch
from smalt.retrieval.ingestion.vectors import Lender
from smalt.store import chunks as store
from smalt.store.chunks import Standing
from smalt.store.database import Database

REPORT_SECONDS = 1.0


class IngestHandler:
    """Brings files in, some of them at once; the database says what is left to do, so it may begin again any time.

    `local_path` is `Blobs.local_path`.
    """

    kind = "ingest"
    queue = "ingestion"

    def __init__(
        self,
        settings: Settings,
        database: Database,
        local_path: Callable[[str, Path], Awaitable[Path]],
        models: Lender,
    ) -> None:
        self._database = database
        self._scratch = Scratch(settings.data_dir)
        self._reader = DocumentReader(settings.retrieval)
        self._files = FileIngestion(database, local_path, models, self._reader, self._scratch)
        # One number for all jobs of this process: a second job must not double the load.
        self._slots = asyncio.Semaphore(settings.jobs.ingestion)

    async def run(self, context: JobContext) -> None:
        """Bring in every file of the job that is not in yet; a file that cannot be read does not stop the others."""
        sequences = await self._database.read(partial(_work, asked=context.input))
        reporting = asyncio.create_task(self._report(context, sequences))
        try:
            await together(*(self._one(context, sequence) for sequence in sequences))
        finally:
            reporting.cancel()
            await asyncio.wait([reporting])
        await self._tell(context, sequences)

    async def ended_early(self, job: NewJob, status: Literal["failed", "cancelled"], reason: str) -> None:
        """Mark the files that are not in yet."""
        for sequence in await self._database.read(partial(_work, asked=job.input)):
            if status == "failed":
                await self._database.write(
                    partial(store.fail, file=sequence, code="server_error", message=f"The job failed: {reason}")
                )
            else:
                await self._database.write(partial(store.cancel, file=sequence))
            await self._files.clear(sequence)

    async def close(self) -> None:
        """End the processes that read documents, and remove what is left on disk."""
        await self._reader.close()
        await asyncio.to_thread(self._scratch.remove)

    async def _one(self, context: JobContext, sequence: int) -> None:
        async with self._slots:
            await context.step(f"file {sequence}", partial(self._files.bring_in, sequence))

    async def _report(self, context: JobContext, sequences: Sequence[int]) -> None:
        told: Standing | None = None
        while True:
            told = await self._tell(context, sequences, told)
            await asyncio.sleep(REPORT_SECONDS)

    async def _tell(self, context: JobContext, sequences: Sequence[int], told: Standing | None = None) -> Standing:
        """Report how far the job is, unless that is what was reported before."""
        standing = await self._database.read(partial(store.read_standing, sequences=sequences))
        if standing != told:
            progress = {
                "files": {"total": standing.files, "ended": standing.files_ended},
                "chunks": {"total": standing.chunks, "embedded": standing.chunks_embedded},
            }
            await context.report(progress)
        return standing


def _work(connection: sa.Connection, asked: Mapping[str, Any]) -> list[int]:
    batch = asked.get("batch")
    return store.find_work(connection, files=asked.get("files", ()), batch=batch)
