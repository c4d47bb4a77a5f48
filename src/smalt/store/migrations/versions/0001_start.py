"""Keys, usage and stored chat completions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take an empty database to this revision."""
    _keys()
    _usage()
    _stored_completions()


def _keys() -> None:
    op.create_table(
        "revisions",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_revisions"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("live_name", sa.String(256)),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("requests_per_minute", sa.BigInteger),
        sa.Column("tokens_per_minute", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("live_name", name="uq_keys_live_name"),
        sa.UniqueConstraint("digest", name="uq_keys_digest"),
    )


def _usage() -> None:
    op.create_table(
        "end_users",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user", sa.String(1024)),
        sa.Column("application_name", sa.String(1024)),
        sa.Column("end_user_id", sa.String(1024)),
        sa.Column("end_user_tenant_id", sa.String(1024)),
        sa.Column("source_ip", sa.String(1024)),
        sa.PrimaryKeyConstraint("id", name="pk_end_users"),
    )
    identity = ["day", "key_id", "project", "model", "operation", "end_user"]
    op.create_table(
        "usage",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("operation", sa.String(64), nullable=False),
        sa.Column("end_user", sa.String(64), nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(*identity, name="pk_usage"),
    )


def _stored_completions() -> None:
    sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "stored_completions",
        sa.Column("sequence", sequence, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("messages", sa.JSON),
        sa.Column("completion", sa.JSON),
        sa.Column("deleted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_stored_completions"),
        sa.UniqueConstraint("project", "id", name="uq_stored_completions_project"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_stored_completions_project_created_at", "stored_completions", ["project", "created_at", "sequence"]
    )
    op.create_table(
        "stored_completion_metadata",
        sa.Column("sequence", sequence, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.String(512), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["sequence"],
            ["stored_completions.sequence"],
            name="fk_stored_completion_metadata_sequence_stored_completions",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("sequence", "key", name="pk_stored_completion_metadata"),
    )
