"""The wire vocabulary of files and of uploads in parts."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema
from typing_extensions import TypeAliasType

from smalt.schemas.wire import Body, Request, Wire

AzureFileExpiryAnchor = TypeAliasType("AzureFileExpiryAnchor", Literal["created_at"])

Purpose = Literal[
    "assistants",
    "assistants_output",
    "batch",
    "batch_output",
    "fine-tune",
    "fine-tune-results",
    "evals",
    "vision",
    "user_data",
]
Binary = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]
LEAST_SECONDS = 3600
MOST_SECONDS = 30 * 24 * 3600
MOST_UPLOAD_BYTES = 8 * 2**30


class FileExpirationAfter(Request):
    """When a file is to disappear: so many seconds after its creation."""

    anchor: AzureFileExpiryAnchor
    seconds: Annotated[int, Field(ge=LEAST_SECONDS, le=MOST_SECONDS)]


class AzureCreateFileRequestMultiPart(Request):
    """A file to be kept: a form with its content and what it is for."""

    file: Binary
    purpose: Literal["assistants", "batch", "fine-tune", "evals"]
    expires_after: FileExpirationAfter | None = None


class AzureOpenAIFile(Wire):
    """A file that is kept; `status_details` says what is wrong with it."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: Purpose
    status: Literal["uploaded", "pending", "running", "processed", "error", "deleting", "deleted"]
    status_details: str | None = None


class AzureListFilesResponse(Wire):
    """One page of the files of a project."""

    object: Literal["list"]
    data: list[AzureOpenAIFile]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeleteFileResponse(Wire):
    """Says that a file is gone."""

    id: str
    object: Literal["file"]
    deleted: bool


class CreateUploadRequest(Body):
    """A file that will be sent in parts."""

    filename: Annotated[str, Field(min_length=1, max_length=1024)]
    purpose: Literal["assistants", "batch", "fine-tune", "evals", "vision", "user_data"]
    bytes: Annotated[int, Field(ge=0, le=MOST_UPLOAD_BYTES)]
    mime_type: Annotated[str, Field(max_length=256)]
    expires_after: FileExpirationAfter | None = None


class AddUploadPartRequest(Request):
    """One part of a file: a form with its bytes."""

    data: Binary


class CompleteUploadRequest(Body):
    """The order in which the parts make the file."""

    part_ids: Annotated[list[str], Field(min_length=1)]
    md5: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None


class Upload(Wire):
    """A file that is being sent in parts; `file` is what it has become."""

    id: str
    object: Literal["upload"]
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: Literal["pending", "completed", "cancelled", "expired"]
    expires_at: int
    file: AzureOpenAIFile | None = None


class UploadPart(Wire):
    """A part that has arrived."""

    id: str
    object: Literal["upload.part"]
    created_at: int
    upload_id: str
