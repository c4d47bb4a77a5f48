"""Runs of connectors' actions, and the rows that they are done for."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

connector_runs = sa.Table(
    "connector_runs",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("connector", sa.String(64), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    # The whole step: values, mapping and the folder that file names start from.
    sa.Column("step", sa.JSON(none_as_null=True), nullable=False),
    # A connection's id, or `local` for the server at `url`, whose key is `access`, encrypted.
    sa.Column("connection_id", sa.String(64), nullable=False),
    sa.Column("url", sa.String(2048)),
    sa.Column("access", sa.LargeBinary),
    sa.Column("access_key_id", sa.String(64)),
    sa.Column("concurrency", sa.Integer, nullable=False),
    # The file that the rows came from, their columns, and where results go; None for a single call.
    sa.Column("source", sa.Text),
    sa.Column("columns", sa.JSON(none_as_null=True), nullable=False),
    sa.Column("output", sa.JSON(none_as_null=True), nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    # running, finished or stopped.
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("error", sa.Text),
    # The job that works on it, and whoever works on it now: only they may begin rows.
    sa.Column("job_id", sa.String(128)),
    sa.Column("worker", sa.String(64)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("finished_at", sa.BigInteger),
    sqlite_autoincrement=True,
)

connector_run_rows = sa.Table(
    "connector_run_rows",
    metadata,
    sa.Column("run", Sequence, sa.ForeignKey("connector_runs.sequence", ondelete="CASCADE"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("input", sa.JSON(none_as_null=True), nullable=False),
    # Why the row cannot be worked on, when its file had it wrong.
    sa.Column("fault", sa.Text),
    # pending, started, succeeded, failed or interrupted.
    sa.Column("status", sa.String(16), nullable=False),
    # Counts the calls that were begun; a result belongs to one of them.
    sa.Column("attempt", sa.Integer, nullable=False),
    # Changes when the call is to be made anew rather than found again.
    sa.Column("generation", sa.Integer, nullable=False),
    # Whether the call that was begun may be made again without being done twice.
    sa.Column("is_repeatable", sa.Boolean, nullable=False),
    # JSON as the action answered it.
    sa.Column("result", sa.LargeBinary),
    sa.Column("status_code", sa.Integer),
    sa.Column("error", sa.Text),
    sa.PrimaryKeyConstraint("run", "position"),
)

connector_run_rows_by_status = sa.Index(
    "ix_connector_run_rows_run_status_position",
    connector_run_rows.c.run,
    connector_run_rows.c.status,
    connector_run_rows.c.position,
)
