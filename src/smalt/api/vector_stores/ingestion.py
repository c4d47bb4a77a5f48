"""Asks for the jobs that bring files into vector stores."""

from typing import Any

import sqlalchemy as sa

from smalt.jobs.protocols import NewJob
from smalt.jobs.queue import JobQueue
from smalt.store.ingestion import Ingestion

KIND = "ingest"
QUEUE = "ingestion"


class IngestionJobs:
    """What the store knows as its ingestion queue: jobs of the kind `ingest`."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    def ask(self, connection: sa.Connection, work: Ingestion) -> None:
        """Ask for a job within a write."""
        told: dict[str, Any] = {"batch": work.batch_id} if work.batch_id is not None else {"files": list(work.files)}
        self._jobs.put(connection, NewJob(work.job_id, KIND, work.project, QUEUE, told))

    def cancel(self, connection: sa.Connection, job_id: str) -> None:
        """Ask for the end of a job within a write."""
        self._jobs.cancel(connection, job_id)
