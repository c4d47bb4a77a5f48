"""How the store asks for files to be brought into vector stores, in the write that attaches them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Ingestion:
    """One job's work: these rows of vector_store_files, or all rows of a batch."""

    job_id: str
    project: str
    files: Sequence[int] = ()
    batch_id: str | None = None


class IngestionQueue(Protocol):
    """Where ingestion is asked for; the room of jobs lies above the store."""

    def ask(self, connection: sa.Connection, work: Ingestion) -> None:
        """Ask for work within a write."""
        ...

    def cancel(self, connection: sa.Connection, job_id: str) -> None:
        """Ask for the end of a job within a write."""
        ...
