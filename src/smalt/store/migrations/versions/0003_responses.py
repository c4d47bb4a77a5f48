"""Responses, their items and events."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    _responses()
    _input_items()
    _events()


def _responses() -> None:
    op.create_table(
        "responses",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("previous", SEQUENCE),
        sa.Column("conversation_id", sa.String(64)),
        sa.Column("conversation_end", sa.BigInteger),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("is_background", sa.Boolean, nullable=False),
        sa.Column("is_streamed", sa.Boolean, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("key_name", sa.String(256), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("response", sa.JSON, nullable=False),
        sa.Column("heard_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("deleted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_responses"),
        sa.ForeignKeyConstraint(["previous"], ["responses.sequence"], name="fk_responses_previous_responses"),
        sa.UniqueConstraint("id", name="uq_responses_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_responses_previous", "responses", ["previous"])
    op.create_index(
        "ix_responses_unfinished",
        "responses",
        ["is_background", "heard_at"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def _input_items() -> None:
    op.create_table(
        "response_input_items",
        sa.Column("response", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("item", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("response", "position", name="pk_response_input_items"),
        sa.ForeignKeyConstraint(
            ["response"], ["responses.sequence"], name="fk_response_input_items_response_responses", ondelete="CASCADE"
        ),
    )


def _events() -> None:
    op.create_table(
        "response_events",
        sa.Column("response", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("first", sa.Integer, nullable=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.Column("events", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("response", "first", name="pk_response_events"),
        sa.ForeignKeyConstraint(
            ["response"], ["responses.sequence"], name="fk_response_events_response_responses", ondelete="CASCADE"
        ),
    )
