"""Conversations and prompt templates."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    _conversations()
    _prompts()


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_item_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_conversations"),
        sa.UniqueConstraint("id", name="uq_conversations_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "conversation_items",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("conversation", SEQUENCE, nullable=False),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("item", sa.JSON),
        sa.Column("deleted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_conversation_items"),
        sa.ForeignKeyConstraint(
            ["conversation"],
            ["conversations.sequence"],
            name="fk_conversation_items_conversation_conversations",
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_conversation_items_created_at", "conversation_items", ["conversation", "created_at", "sequence"]
    )
    op.create_index("ix_conversation_items_id", "conversation_items", ["id"])
    op.create_index(
        "uq_conversation_items_live",
        "conversation_items",
        ["conversation", "id"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _prompts() -> None:
    op.create_table(
        "prompts",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_prompts"),
        sa.UniqueConstraint("id", name="uq_prompts_id"),
        sa.UniqueConstraint("project", "name", name="uq_prompts_project"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "prompt_versions",
        sa.Column("prompt", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("instructions", sa.Text),
        sa.Column("messages", sa.JSON, nullable=False),
        sa.Column("defaults", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("prompt", "version", name="pk_prompt_versions"),
        sa.ForeignKeyConstraint(
            ["prompt"], ["prompts.sequence"], name="fk_prompt_versions_prompt_prompts", ondelete="CASCADE"
        ),
    )
