"""Files, the blobs that hold their content, and uploads in parts."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

# Content by its SHA-256; `key` is where the blob storage has it, and is never used for other content again.
blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(160), nullable=False, unique=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    # writing: the storage may not have it yet; live: it has it.
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("touched_at", sa.BigInteger, nullable=False),
)

# Content that a request or a job is about to refer to; a blob that has neither a hold nor a reference is removed.
blob_holds = sa.Table(
    "blob_holds",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("digest", sa.String(64), sa.ForeignKey("blobs.digest"), nullable=False),
    sa.Column("held_at", sa.BigInteger, nullable=False),
)

blob_holds_by_digest = sa.Index("ix_blob_holds_digest", blob_holds.c.digest)

# Keys that the storage must forget: nothing refers to them any more.
doomed_blobs = sa.Table(
    "doomed_blobs",
    metadata,
    sa.Column("key", sa.String(160), primary_key=True),
    sa.Column("doomed_at", sa.BigInteger, nullable=False),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("purpose", sa.String(64), nullable=False),
    sa.Column("filename", sa.String(1024), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("status_details", sa.Text),
    # None once the file is deleted.
    sa.Column("digest", sa.String(64), sa.ForeignKey("blobs.digest")),
    # A deleted row stays for a while, without content, so that paging can go on after it.
    sa.Column("deleted_at", sa.BigInteger),
    sqlite_autoincrement=True,
)

files_by_time = sa.Index("ix_files_project_created_at", files.c.project, files.c.created_at, files.c.sequence)
files_by_digest = sa.Index("ix_files_digest", files.c.digest)
files_by_expiry = sa.Index("ix_files_expires_at", files.c.expires_at)
files_by_deletion = sa.Index("ix_files_deleted_at", files.c.deleted_at)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("purpose", sa.String(64), nullable=False),
    sa.Column("filename", sa.String(1024), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("mime_type", sa.String(256), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    # For the file that it becomes: seconds after its creation.
    sa.Column("file_expires_after_seconds", sa.BigInteger),
    sa.Column("file_id", sa.String(64)),
)

uploads_by_expiry = sa.Index("ix_uploads_expires_at", uploads.c.expires_at)

upload_parts = sa.Table(
    "upload_parts",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("upload_id", sa.String(64), sa.ForeignKey("uploads.id", ondelete="CASCADE"), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), sa.ForeignKey("blobs.digest"), nullable=False),
)

upload_parts_by_upload = sa.Index("ix_upload_parts_upload_id", upload_parts.c.upload_id)
upload_parts_by_digest = sa.Index("ix_upload_parts_digest", upload_parts.c.digest)
