"""Chat completions that are kept."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

# Chat completions made with store: true.
stored_completions = sa.Table(
    "stored_completions",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(128), nullable=False),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("model", sa.String(256), nullable=False),
    sa.Column("messages", sa.JSON(none_as_null=True)),
    sa.Column("completion", sa.JSON(none_as_null=True)),
    # A deleted row stays, without content, so that paging can go on after it.
    sa.Column("deleted_at", sa.BigInteger),
    sa.UniqueConstraint("project", "id"),
    sqlite_autoincrement=True,
)

stored_completions_by_time = sa.Index(
    "ix_stored_completions_project_created_at",
    stored_completions.c.project,
    stored_completions.c.created_at,
    stored_completions.c.sequence,
)

# The metadata of stored chat completions, one row a key.
stored_completion_metadata = sa.Table(
    "stored_completion_metadata",
    metadata,
    sa.Column(
        "sequence",
        Sequence,
        sa.ForeignKey("stored_completions.sequence", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.String(512), nullable=False),
    # Keeps the order in which the client wrote the keys.
    sa.Column("position", sa.Integer, nullable=False),
)
