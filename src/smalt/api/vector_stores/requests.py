"""Reads what clients ask of vector stores: attachments with their chunking, new stores and changes of old ones."""

from collections import Counter
from typing import Any

from smalt.core.errors import InvalidRequest
from smalt.schemas.vector_stores import (
    DEFAULT_CHUNK_TOKENS,
    DEFAULT_OVERLAP_TOKENS,
    ChunkingStrategyRequestParam,
    CreateVectorStoreFileBatchRequest,
    CreateVectorStoreFileRequest,
    CreateVectorStoreRequest,
    StaticChunkingStrategyRequestParam,
    UpdateVectorStoreRequest,
)
from smalt.store.vector_store_files import Attachment, Attributes
from smalt.store.vector_stores import NewVectorStore, VectorStoreChanges


def new_store(body: CreateVectorStoreRequest) -> NewVectorStore:
    """The store that a body asks for."""
    expiry = body.expires_after
    return NewVectorStore(
        name=body.name,
        description=body.description,
        metadata=body.metadata,
        expires_after_days=expiry.days if expiry else None,
        attachments=_attachments(body.file_ids or [], body.chunking_strategy),
    )


def store_changes(body: UpdateVectorStoreRequest) -> VectorStoreChanges:
    """The columns that a body changes; what it leaves out stays."""
    given = body.model_fields_set
    columns: dict[str, Any] = {name: getattr(body, name) for name in ("name", "description") if name in given}
    if "metadata" in given:
        columns["metadata"] = body.metadata or {}
    if "expires_after" in given:
        columns["expires_after_days"] = body.expires_after.days if body.expires_after else None
    return VectorStoreChanges(columns)


def attachment(body: CreateVectorStoreFileRequest, param: str = "file_id") -> Attachment:
    """The one file that a body attaches."""
    return _attachment(body.file_id, body.chunking_strategy, body.attributes, param)


def batch_attachments(body: CreateVectorStoreFileBatchRequest) -> list[Attachment]:
    """The files of a batch, with the options that they share or each its own."""
    if body.files is not None:
        _refuse_repeated(body.files)
        return [attachment(one, f"files[{number}].file_id") for number, one in enumerate(body.files)]
    if body.file_ids is None:
        raise InvalidRequest(
            "Missing required parameter: 'file_ids'. Send file_ids, or files when they have options of their own.",
            param="file_ids",
            code="missing_required_parameter",
        )
    return _attachments(body.file_ids, body.chunking_strategy, body.attributes)


def _refuse_repeated(files: list[CreateVectorStoreFileRequest]) -> None:
    """Nobody could tell which of two options for one file is meant."""
    file_id, count = Counter(one.file_id for one in files).most_common(1)[0]
    if count > 1:
        raise InvalidRequest(
            f"Invalid 'files': the file '{file_id}' is there {count} times; name it once.", param="files"
        )


def _attachments(
    file_ids: list[str], chunking: ChunkingStrategyRequestParam | None, attributes: Attributes | None = None
) -> list[Attachment]:
    named = enumerate(file_ids)
    return [_attachment(file_id, chunking, attributes, f"file_ids[{number}]") for number, file_id in named]


def _attachment(
    file_id: str, chunking: ChunkingStrategyRequestParam | None, attributes: Attributes | None, param: str
) -> Attachment:
    size, overlap = DEFAULT_CHUNK_TOKENS, DEFAULT_OVERLAP_TOKENS
    if isinstance(chunking, StaticChunkingStrategyRequestParam):
        size, overlap = chunking.static.max_chunk_size_tokens, chunking.static.chunk_overlap_tokens
    return Attachment(file_id, size, overlap, attributes, param)
