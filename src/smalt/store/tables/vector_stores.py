"""Vector stores, the files in them, and the chunks that those files were cut into."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

vector_stores = sa.Table(
    "vector_stores",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("name", sa.String(1024)),
    sa.Column("description", sa.Text),
    sa.Column("metadata", sa.JSON(none_as_null=True)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("last_active_at", sa.BigInteger),
    sa.Column("expires_after_days", sa.Integer),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("is_expired", sa.Boolean, nullable=False),
    # The deployment that embeds its chunks and the queries.
    sa.Column("embedding_model", sa.String(256), nullable=False),
    # Grows with every change of what a search may find; files carry the number of their own last change.
    sa.Column("version", sa.BigInteger, nullable=False),
    # The rows of files that were removed up to this version are gone; an index that is older must be rebuilt.
    sa.Column("purged_version", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    # A deleted row stays for a while, so that paging can go on after it.
    sa.Column("deleted_at", sa.BigInteger),
    # When nothing was left of the chunks of a store that was deleted or has expired.
    sa.Column("cleared_at", sa.BigInteger),
    sqlite_autoincrement=True,
)

vector_stores_by_time = sa.Index(
    "ix_vector_stores_project_created_at",
    vector_stores.c.project,
    vector_stores.c.created_at,
    vector_stores.c.sequence,
)
vector_stores_by_expiry = sa.Index("ix_vector_stores_expires_at", vector_stores.c.expires_at)

vector_store_file_batches = sa.Table(
    "vector_store_file_batches",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("vector_store", Sequence, sa.ForeignKey("vector_stores.sequence", ondelete="CASCADE"), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("cancelled_at", sa.BigInteger),
)

file_batches_by_store = sa.Index("ix_vector_store_file_batches_vector_store", vector_store_file_batches.c.vector_store)

# A file in a vector store. `sequence` is its number wherever chunks are named: in tables and in indexes.
vector_store_files = sa.Table(
    "vector_store_files",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("vector_store", Sequence, sa.ForeignKey("vector_stores.sequence", ondelete="CASCADE"), nullable=False),
    sa.Column("file_id", sa.String(64), nullable=False),
    sa.Column("batch_id", sa.String(64), sa.ForeignKey("vector_store_file_batches.id", ondelete="SET NULL")),
    # The job that brings it in.
    sa.Column("job_id", sa.String(128)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    # in_progress, completed, failed or cancelled.
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_message", sa.Text),
    sa.Column("max_chunk_size_tokens", sa.Integer, nullable=False),
    sa.Column("chunk_overlap_tokens", sa.Integer, nullable=False),
    sa.Column("attributes", sa.JSON(none_as_null=True)),
    sa.Column("usage_bytes", sa.BigInteger, nullable=False),
    sa.Column("chunks", sa.Integer, nullable=False),
    # The vector store's version at the last change of what a search may find of this file.
    sa.Column("version", sa.BigInteger, nullable=False),
    # A removed file's row stays for a while without chunks: indexes learn from it, and paging goes on after it.
    sa.Column("deleted_at", sa.BigInteger),
    sqlite_autoincrement=True,
)

one_live_file = sa.Index(
    "uq_vector_store_files_live",
    vector_store_files.c.vector_store,
    vector_store_files.c.file_id,
    unique=True,
    sqlite_where=vector_store_files.c.deleted_at.is_(None),
    postgresql_where=vector_store_files.c.deleted_at.is_(None),
)
vector_store_files_by_version = sa.Index(
    "ix_vector_store_files_version", vector_store_files.c.vector_store, vector_store_files.c.version
)
# Holds all that counting needs, so that counting reads nothing else.
vector_store_files_by_status = sa.Index(
    "ix_vector_store_files_status",
    vector_store_files.c.vector_store,
    vector_store_files.c.status,
    vector_store_files.c.usage_bytes,
    vector_store_files.c.deleted_at,
    sqlite_where=vector_store_files.c.deleted_at.is_(None),
    postgresql_where=vector_store_files.c.deleted_at.is_(None),
)
vector_store_files_by_time = sa.Index(
    "ix_vector_store_files_created_at",
    vector_store_files.c.vector_store,
    vector_store_files.c.created_at,
    vector_store_files.c.sequence,
)
vector_store_files_by_file = sa.Index(
    "ix_vector_store_files_file_id", vector_store_files.c.file_id, vector_store_files.c.vector_store
)
vector_store_files_by_batch = sa.Index("ix_vector_store_files_batch_id", vector_store_files.c.batch_id)
vector_store_files_removed = sa.Index(
    "ix_vector_store_files_deleted_at",
    vector_store_files.c.deleted_at,
    sqlite_where=vector_store_files.c.deleted_at.is_not(None),
    postgresql_where=vector_store_files.c.deleted_at.is_not(None),
)

# The pieces of a file's text; a chunk's number over all stores is file * 2**20 + position.
chunks = sa.Table(
    "chunks",
    metadata,
    sa.Column(
        "file",
        Sequence,
        sa.ForeignKey("vector_store_files.sequence", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("tokens", sa.Integer, nullable=False),
    # Where in the document it begins: a page from 1, the headings above it.
    sa.Column("page", sa.Integer),
    sa.Column("heading", sa.Text),
)

# The vectors of `count` chunks from `position` on, one after the other: float16, little-endian, of unit length.
chunk_vectors = sa.Table(
    "chunk_vectors",
    metadata,
    sa.Column(
        "file",
        Sequence,
        sa.ForeignKey("vector_store_files.sequence", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("dimensions", sa.Integer, nullable=False),
    sa.Column("vectors", sa.LargeBinary, nullable=False),
)
