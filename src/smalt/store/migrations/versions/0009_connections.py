"""Connections of connectors, and the calls that were booked on them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "connector_connections",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("connector", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("base_url", sa.String(2048)),
        sa.Column("is_smalt", sa.Boolean, nullable=False),
        sa.Column("fields", sa.JSON, nullable=False),
        sa.Column("secret_names", sa.JSON, nullable=False),
        sa.Column("secrets", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_connector_connections"),
        sa.UniqueConstraint("id", name="uq_connector_connections_id"),
        sa.UniqueConstraint("name", name="uq_connector_connections_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "throttle_slots",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("connection_id", sa.String(64), nullable=False),
        sa.Column("starts_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_throttle_slots"),
    )
    op.create_index("ix_throttle_slots_connection_id_starts_at_ms", "throttle_slots", ["connection_id", "starts_at_ms"])
