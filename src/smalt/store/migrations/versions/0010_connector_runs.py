"""Runs of connectors' actions."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "connector_runs",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("connector", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("step", sa.JSON, nullable=False),
        sa.Column("connection_id", sa.String(64), nullable=False),
        sa.Column("url", sa.String(2048)),
        sa.Column("access", sa.LargeBinary),
        sa.Column("access_key_id", sa.String(64)),
        sa.Column("concurrency", sa.Integer, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.Column("output", sa.JSON, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("job_id", sa.String(128)),
        sa.Column("worker", sa.String(64)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_connector_runs"),
        sa.UniqueConstraint("id", name="uq_connector_runs_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "connector_run_rows",
        sa.Column("run", SEQUENCE, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("input", sa.JSON, nullable=False),
        sa.Column("fault", sa.Text),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("is_repeatable", sa.Boolean, nullable=False),
        sa.Column("result", sa.LargeBinary),
        sa.Column("status_code", sa.Integer),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("run", "position", name="pk_connector_run_rows"),
        sa.ForeignKeyConstraint(
            ["run"],
            ["connector_runs.sequence"],
            name="fk_connector_run_rows_run_connector_runs",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_connector_run_rows_run_status_position", "connector_run_rows", ["run", "status", "position"])
