"""Uploads: files that are sent in parts."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response

from smalt.api.dependencies import BlobsDep, DatabaseDep
from smalt.api.stored_files import file_json, uploadable
from smalt.api.uploads.completion import UploadCompletion
from smalt.api.uploads.parts import take_part
from smalt.http.answers import Json
from smalt.http.body import Body
from smalt.http.dependencies import CurrentCall
from smalt.http.openapi import form_of
from smalt.http.routing import Router
from smalt.schemas.files import (
    AddUploadPartRequest,
    CompleteUploadRequest,
    CreateUploadRequest,
    Upload,
    UploadPart,
)
from smalt.store.uploads import NewUpload, Uploads
from smalt.store.uploads import Upload as StoredUpload

router = Router(tags=["uploads"])


async def stored_uploads(database: DatabaseDep, blobs: BlobsDep) -> Uploads:
    """The uploads of every project."""
    return Uploads(database, blobs)


UploadsDep = Annotated[Uploads, Depends(stored_uploads)]


@router.post("/uploads", operation_id="createUpload", response_model=Upload)
async def create_upload(body: CreateUploadRequest, call: CurrentCall, uploads: UploadsDep) -> Response:
    """Begin to send a file in parts."""
    new = NewUpload(
        filename=body.filename,
        purpose=uploadable(call, body.purpose),
        bytes=body.bytes,
        mime_type=body.mime_type,
        file_expires_after_seconds=body.expires_after.seconds if body.expires_after else None,
    )
    return Json(_upload_json(await uploads.create(call.caller.project, new)))


@router.post(
    "/uploads/{upload_id}/parts",
    operation_id="addUploadPart",
    response_model=UploadPart,
    openapi_extra=form_of(AddUploadPartRequest),
    streamed=True,
)
async def add_upload_part(upload_id: str, body: Body, uploads: UploadsDep) -> Response:
    """Send one part of at most 64 MB; several may be sent at once."""
    part = await take_part(body, uploads, upload_id)
    return Json({"id": part.id, "object": "upload.part", "created_at": part.created_at, "upload_id": upload_id})


@router.post("/uploads/{upload_id}/complete", operation_id="completeUpload", response_model=Upload)
async def complete_upload(
    upload_id: str,
    body: CompleteUploadRequest,
    request: Request,
    call: CurrentCall,
    uploads: UploadsDep,
    blobs: BlobsDep,
) -> Response:
    """Make a file of the parts, in the order given."""
    completion = UploadCompletion(uploads, blobs, longest_line=request.app.state.settings.limits.body_bytes)
    upload, file = await completion.complete(call, upload_id, body)
    return Json({**_upload_json(upload), "file": file_json(file, call)})


@router.post("/uploads/{upload_id}/cancel", operation_id="cancelUpload", response_model=Upload)
async def cancel_upload(upload_id: str, call: CurrentCall, uploads: UploadsDep) -> Response:
    """Give up an upload and its parts."""
    return Json(_upload_json(await uploads.cancel(call.caller.project, upload_id)))


def _upload_json(upload: StoredUpload) -> dict[str, Any]:
    return {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.bytes,
        "created_at": upload.created_at,
        "filename": upload.filename,
        "purpose": upload.purpose,
        "status": upload.status,
        "expires_at": upload.expires_at,
        "file": None,
    }
