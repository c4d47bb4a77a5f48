"""Vector stores, their files and batches as clients see them."""

from typing import Any

from smalt.store.file_batches import FileBatch
from smalt.store.vector_store_files import VectorStoreFile
from smalt.store.vector_store_rows import CountedVectorStore, FileCounts

Json = dict[str, Any]


def store_json(store: CountedVectorStore) -> Json:
    """A vector store."""
    days = store.expires_after_days
    return {
        "id": store.id,
        "object": "vector_store",
        "created_at": store.created_at,
        "name": store.name,
        "description": store.description,
        "usage_bytes": store.usage_bytes,
        "file_counts": _counts_json(store.file_counts),
        "status": store.status,
        "expires_after": None if days is None else {"anchor": "last_active_at", "days": days},
        "expires_at": store.expires_at,
        "last_active_at": store.last_active_at,
        "metadata": store.metadata or {},
    }


def file_json(file: VectorStoreFile) -> Json:
    """A file in a vector store."""
    return {
        "id": file.file_id,
        "object": "vector_store.file",
        "usage_bytes": file.usage_bytes,
        "created_at": file.created_at,
        "vector_store_id": file.vector_store_id,
        "status": file.status,
        "last_error": _error_json(file),
        "chunking_strategy": {
            "type": "static",
            "static": {
                "max_chunk_size_tokens": file.max_chunk_size_tokens,
                "chunk_overlap_tokens": file.chunk_overlap_tokens,
            },
        },
        "attributes": dict(file.attributes),
    }


def batch_json(batch: FileBatch) -> Json:
    """A batch of files."""
    return {
        "id": batch.id,
        "object": "vector_store.files_batch",
        "created_at": batch.created_at,
        "vector_store_id": batch.vector_store_id,
        "status": batch.status,
        "file_counts": _counts_json(batch.file_counts),
    }


def _counts_json(counts: FileCounts) -> Json:
    return {
        "in_progress": counts.in_progress,
        "completed": counts.completed,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
        "total": counts.total,
    }


def _error_json(file: VectorStoreFile) -> Json | None:
    if file.error_code is None:
        return None
    return {"code": file.error_code, "message": file.error_message or ""}
