"""Containers of the code interpreter, and the files in them."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

containers = sa.Table(
    "containers",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("memory_limit", sa.String(16), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("last_active_at", sa.BigInteger, nullable=False),
    sa.Column("expires_after_minutes", sa.Integer, nullable=False),
    # That many minutes after the last use.
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    # A deleted row stays for a while, without files, so that paging can go on after it.
    sa.Column("deleted_at", sa.BigInteger),
    sqlite_autoincrement=True,
)

containers_by_time = sa.Index(
    "ix_containers_project_created_at", containers.c.project, containers.c.created_at, containers.c.sequence
)
containers_by_expiry = sa.Index("ix_containers_expires_at", containers.c.expires_at)
containers_by_deletion = sa.Index("ix_containers_deleted_at", containers.c.deleted_at)

container_files = sa.Table(
    "container_files",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("container", Sequence, sa.ForeignKey("containers.sequence", ondelete="CASCADE"), nullable=False),
    # Below the container's folder, without a slash in front.
    sa.Column("path", sa.String(1024), nullable=False),
    # user or assistant.
    sa.Column("source", sa.String(16), nullable=False),
    # The kept file that it was copied from, if any.
    sa.Column("file_id", sa.String(64)),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    # None once the file is deleted.
    sa.Column("digest", sa.String(64), sa.ForeignKey("blobs.digest")),
    sa.Column("deleted_at", sa.BigInteger),
    sqlite_autoincrement=True,
)

container_files_by_time = sa.Index(
    "ix_container_files_created_at",
    container_files.c.container,
    container_files.c.created_at,
    container_files.c.sequence,
)
container_files_by_digest = sa.Index("ix_container_files_digest", container_files.c.digest)
live_container_files = sa.Index(
    "uq_container_files_live",
    container_files.c.container,
    container_files.c.path,
    unique=True,
    sqlite_where=container_files.c.deleted_at.is_(None),
    postgresql_where=container_files.c.deleted_at.is_(None),
)
