"""Answers to requests that name an idempotency key."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "idempotent_answers",
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("key_digest", sa.String(64), nullable=False),
        sa.Column("claim_id", sa.String(64), nullable=False),
        sa.Column("claimed_until", sa.BigInteger, nullable=False),
        sa.Column("request_digest", sa.String(64)),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.JSON),
        sa.Column("content", sa.LargeBinary),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("project", "key_digest", name="pk_idempotent_answers"),
    )
    op.create_index("ix_idempotent_answers_expires_at", "idempotent_answers", ["expires_at"])
