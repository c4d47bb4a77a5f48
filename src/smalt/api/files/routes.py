"""Files: uploading, listing, reading and deleting them."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from smalt.api.dependencies import BlobsDep, DatabaseDep
from smalt.api.files.creation import FileCreation
from smalt.api.stored_files import file_json, listable
from smalt.http.answers import Json
from smalt.http.body import Body
from smalt.http.call import Call
from smalt.http.dependencies import CurrentCall
from smalt.http.downloads import Download, sent
from smalt.http.openapi import form_of
from smalt.http.paging import After, Direction, listed
from smalt.http.routing import Router
from smalt.schemas.files import (
    AzureCreateFileRequestMultiPart,
    AzureListFilesResponse,
    AzureOpenAIFile,
    DeleteFileResponse,
)
from smalt.store.cursors import Slice
from smalt.store.files import Files, StoredFile

router = Router(tags=["files"])

MOST = 10_000
BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


async def stored_files(database: DatabaseDep) -> Files:
    """The files of every project."""
    return Files(database)


FilesDep = Annotated[Files, Depends(stored_files)]
Limit = Annotated[int, Query(ge=1, le=MOST, description="The most files on one page.")]
PurposeFilter = Annotated[str | None, Query(description="Only files with this purpose.")]


@router.post(
    "/files",
    operation_id="createFile",
    response_model=AzureOpenAIFile,
    openapi_extra=form_of(AzureCreateFileRequestMultiPart),
    streamed=True,
)
async def create_file(body: Body, call: CurrentCall, files: FilesDep, blobs: BlobsDep) -> Response:
    """Keep a file; one whose purpose asks for JSONL is looked through first."""
    file = await FileCreation(files, blobs, body.app.state.settings.limits).create(body)
    answer = Json(file_json(file, call))
    if _is_azure_native(file, call):
        answer.status_code = HTTPStatus.CREATED
        answer.headers["Location"] = f"{str(body.base_url).rstrip('/')}{call.path}/{file.id}"
    return answer


@router.get("/files", operation_id="listFiles", response_model=AzureListFilesResponse)
async def list_files(
    call: CurrentCall,
    files: FilesDep,
    *,
    purpose: PurposeFilter = None,
    after: After = None,
    limit: Limit = MOST,
    order: Direction = "desc",
) -> Response:
    """List the files of the key's project."""
    wanted = None if purpose is None else listable(call, purpose)
    page = await files.list(call.caller.project, Slice(after=after, limit=limit, order=order), purpose=wanted)
    return Json(listed(page, partial(file_json, call=call)))


@router.get("/files/{file_id}", operation_id="retrieveFile", response_model=AzureOpenAIFile)
async def retrieve_file(file_id: str, call: CurrentCall, files: FilesDep) -> Response:
    """Return one file's description, without its content."""
    return Json(file_json(await files.get(call.caller.project, file_id), call))


@router.delete("/files/{file_id}", operation_id="deleteFile", response_model=DeleteFileResponse)
async def delete_file(file_id: str, call: CurrentCall, files: FilesDep) -> Response:
    """Delete a file, and take it out of every vector store."""
    await files.delete(call.caller.project, file_id)
    return Json({"object": "file", "id": file_id, "deleted": True})


@router.get("/files/{file_id}/content", operation_id="downloadFile", response_class=Response, responses=BINARY)
async def download_file(
    file_id: str, request: Request, call: CurrentCall, files: FilesDep, blobs: BlobsDep
) -> Response:
    """Return a file's content, or a range of it."""
    file = await files.get(call.caller.project, file_id)
    return await sent(request, Download(file.bytes, file.digest, file.filename, partial(blobs.read, file.digest)))


def _is_azure_native(file: StoredFile, call: Call) -> bool:
    """Whether the file belongs to the part of Azure's classic service that answers 201; assistants' files do not."""
    return call.mount == "azure_classic" and file.purpose != "assistants"
