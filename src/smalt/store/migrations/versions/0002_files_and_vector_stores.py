"""Files, uploads, jobs and vector stores."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    _blobs()
    _files()
    _uploads()
    _jobs()
    _vector_stores()
    _vector_store_files()
    _chunks()


def _blobs() -> None:
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("touched_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_blobs"),
        sa.UniqueConstraint("key", name="uq_blobs_key"),
    )
    op.create_table(
        "doomed_blobs",
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("doomed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_doomed_blobs"),
    )
    op.create_table(
        "blob_holds",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("held_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_blob_holds"),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_blob_holds_digest_blobs"),
    )
    op.create_index("ix_blob_holds_digest", "blob_holds", ["digest"])


def _files() -> None:
    op.create_table(
        "files",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("filename", sa.String(1024), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("status_details", sa.Text),
        sa.Column("digest", sa.String(64)),
        sa.Column("deleted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_files"),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_files_digest_blobs"),
        sa.UniqueConstraint("id", name="uq_files_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_files_deleted_at", "files", ["deleted_at"])
    op.create_index("ix_files_digest", "files", ["digest"])
    op.create_index("ix_files_expires_at", "files", ["expires_at"])
    op.create_index("ix_files_project_created_at", "files", ["project", "created_at", "sequence"])


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("filename", sa.String(1024), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("mime_type", sa.String(256), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("file_expires_after_seconds", sa.BigInteger),
        sa.Column("file_id", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
    op.create_table(
        "upload_parts",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("upload_id", sa.String(64), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_upload_parts"),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_upload_parts_digest_blobs"),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name="fk_upload_parts_upload_id_uploads", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_upload_parts_digest", "upload_parts", ["digest"])
    op.create_index("ix_upload_parts_upload_id", "upload_parts", ["upload_id"])


def _jobs() -> None:
    op.create_table(
        "job_runners",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("heard_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_runners"),
    )
    op.create_table(
        "job_sweeps",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_job_sweeps"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("queue", sa.String(64), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("input", sa.JSON, nullable=False),
        sa.Column("wanted", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("is_dispatched", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("runner", sa.String(64)),
        sa.Column("progress", sa.JSON),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_project_created_at", "jobs", ["project", "created_at"])
    op.create_index("ix_jobs_status_created_at", "jobs", ["status", "created_at"])


def _vector_stores() -> None:
    op.create_table(
        "vector_stores",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(256), nullable=False),
        sa.Column("name", sa.String(1024)),
        sa.Column("description", sa.Text),
        sa.Column("metadata", sa.JSON),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_active_at", sa.BigInteger),
        sa.Column("expires_after_days", sa.Integer),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("is_expired", sa.Boolean, nullable=False),
        sa.Column("embedding_model", sa.String(256), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("purged_version", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("deleted_at", sa.BigInteger),
        sa.Column("cleared_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_vector_stores"),
        sa.UniqueConstraint("id", name="uq_vector_stores_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_vector_stores_expires_at", "vector_stores", ["expires_at"])
    op.create_index("ix_vector_stores_project_created_at", "vector_stores", ["project", "created_at", "sequence"])
    op.create_table(
        "vector_store_file_batches",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("vector_store", SEQUENCE, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("cancelled_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_vector_store_file_batches"),
        sa.ForeignKeyConstraint(
            ["vector_store"],
            ["vector_stores.sequence"],
            name="fk_vector_store_file_batches_vector_store_vector_stores",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_vector_store_file_batches_vector_store", "vector_store_file_batches", ["vector_store"])


def _vector_store_files() -> None:
    op.create_table(
        "vector_store_files",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("vector_store", SEQUENCE, nullable=False),
        sa.Column("file_id", sa.String(64), nullable=False),
        sa.Column("batch_id", sa.String(64)),
        sa.Column("job_id", sa.String(128)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.Text),
        sa.Column("max_chunk_size_tokens", sa.Integer, nullable=False),
        sa.Column("chunk_overlap_tokens", sa.Integer, nullable=False),
        sa.Column("attributes", sa.JSON),
        sa.Column("usage_bytes", sa.BigInteger, nullable=False),
        sa.Column("chunks", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_vector_store_files"),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["vector_store_file_batches.id"],
            name="fk_vector_store_files_batch_id_vector_store_file_batches",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["vector_store"],
            ["vector_stores.sequence"],
            name="fk_vector_store_files_vector_store_vector_stores",
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_vector_store_files_batch_id", "vector_store_files", ["batch_id"])
    op.create_index(
        "ix_vector_store_files_created_at", "vector_store_files", ["vector_store", "created_at", "sequence"]
    )
    op.create_index(
        "ix_vector_store_files_deleted_at",
        "vector_store_files",
        ["deleted_at"],
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index("ix_vector_store_files_file_id", "vector_store_files", ["file_id", "vector_store"])
    op.create_index(
        "ix_vector_store_files_status",
        "vector_store_files",
        ["vector_store", "status", "usage_bytes", "deleted_at"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_vector_store_files_version", "vector_store_files", ["vector_store", "version"])
    op.create_index(
        "uq_vector_store_files_live",
        "vector_store_files",
        ["vector_store", "file_id"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _chunks() -> None:
    op.create_table(
        "chunk_vectors",
        sa.Column("file", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("dimensions", sa.Integer, nullable=False),
        sa.Column("vectors", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("file", "position", name="pk_chunk_vectors"),
        sa.ForeignKeyConstraint(
            ["file"],
            ["vector_store_files.sequence"],
            name="fk_chunk_vectors_file_vector_store_files",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "chunks",
        sa.Column("file", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("heading", sa.Text),
        sa.PrimaryKeyConstraint("file", "position", name="pk_chunks"),
        sa.ForeignKeyConstraint(
            ["file"], ["vector_store_files.sequence"], name="fk_chunks_file_vector_store_files", ondelete="CASCADE"
        ),
    )
