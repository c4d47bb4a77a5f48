"""Containers of the code interpreter."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    _containers()
    _container_files()


def _containers() -> None:
    op.create_table(
        "containers",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("memory_limit", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_active_at", sa.BigInteger, nullable=False),
        sa.Column("expires_after_minutes", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_containers"),
        sa.UniqueConstraint("id", name="uq_containers_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_containers_deleted_at", "containers", ["deleted_at"])
    op.create_index("ix_containers_expires_at", "containers", ["expires_at"])
    op.create_index("ix_containers_project_created_at", "containers", ["project", "created_at", "sequence"])


def _container_files() -> None:
    op.create_table(
        "container_files",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("container", SEQUENCE, nullable=False),
        sa.Column("path", sa.String(1024), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("file_id", sa.String(64)),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("deleted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_container_files"),
        sa.ForeignKeyConstraint(
            ["container"],
            ["containers.sequence"],
            name="fk_container_files_container_containers",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_container_files_digest_blobs"),
        sa.UniqueConstraint("id", name="uq_container_files_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_container_files_created_at", "container_files", ["container", "created_at", "sequence"])
    op.create_index("ix_container_files_digest", "container_files", ["digest"])
    op.create_index(
        "uq_container_files_live",
        "container_files",
        ["container", "path"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
