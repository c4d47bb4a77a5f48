"""Durable jobs: what was asked for, and how far it is."""

import sqlalchemy as sa

from smalt.store.tables.base import metadata

jobs = sa.Table(
    "jobs",
    metadata,
    # The id of what the job makes, so that one thing never has two jobs.
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("queue", sa.String(64), nullable=False),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("input", sa.JSON(none_as_null=True), nullable=False),
    # What its owner wants of it: run, pause or cancel.
    sa.Column("wanted", sa.String(16), nullable=False),
    # queued, running, paused, succeeded, failed or cancelled.
    sa.Column("status", sa.String(16), nullable=False),
    # Whether DBOS has heard of it.
    sa.Column("is_dispatched", sa.Boolean, nullable=False),
    # How often work on it was begun, and by which runner last.
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("runner", sa.String(64)),
    sa.Column("progress", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("finished_at", sa.BigInteger),
)

jobs_by_status = sa.Index("ix_jobs_status_created_at", jobs.c.status, jobs.c.created_at)
jobs_by_project = sa.Index("ix_jobs_project_created_at", jobs.c.project, jobs.c.created_at)

# Job runners that are alive; the jobs of one that fell silent are taken over.
job_runners = sa.Table(
    "job_runners",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("heard_at", sa.BigInteger, nullable=False),
)

# When each sweep last began, whichever runner did it.
job_sweeps = sa.Table(
    "job_sweeps",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("began_at", sa.BigInteger, nullable=False),
)
