"""Prompt templates and their versions."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

prompts = sa.Table(
    "prompts",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    # The last number that was given, so that the number of a removed version is not given again.
    sa.Column("last_version", sa.Integer, nullable=False),
    sa.UniqueConstraint("project", "name"),
    sqlite_autoincrement=True,
)

prompt_versions = sa.Table(
    "prompt_versions",
    metadata,
    sa.Column(
        "prompt", Sequence, sa.ForeignKey("prompts.sequence", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("instructions", sa.Text),
    # Input items that come before those of a request.
    sa.Column("messages", sa.JSON, nullable=False),
    # Fields of a request that hold where the request leaves them out.
    sa.Column("defaults", sa.JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)
