"""Vector stores, the files and batches in them, and searching them."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from smalt.api.dependencies import DatabaseDep, JobsDep, ModelsDep, SearchDep
from smalt.api.vector_stores.content import content_json
from smalt.api.vector_stores.descriptions import batch_json, file_json, store_json
from smalt.api.vector_stores.ingestion import IngestionJobs
from smalt.api.vector_stores.requests import attachment, batch_attachments, new_store, store_changes
from smalt.api.vector_stores.searching import search_store
from smalt.core.errors import ModelNotFound
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.paging import AskedSlice, listed
from smalt.http.routing import Router
from smalt.schemas.vector_stores import (
    CreateVectorStoreFileBatchRequest,
    CreateVectorStoreFileRequest,
    CreateVectorStoreRequest,
    DeleteVectorStoreFileResponse,
    DeleteVectorStoreResponse,
    ListVectorStoreFilesFilter,
    ListVectorStoreFilesResponse,
    ListVectorStoresResponse,
    UpdateVectorStoreFileAttributesRequest,
    UpdateVectorStoreRequest,
    VectorStoreFileBatchObject,
    VectorStoreFileContentResponse,
    VectorStoreFileObject,
    VectorStoreObject,
    VectorStoreSearchRequest,
    VectorStoreSearchResultsPage,
)
from smalt.store.file_batches import FileBatches
from smalt.store.vector_store_files import VectorStoreFiles
from smalt.store.vector_stores import VectorStores

router = Router(tags=["vector_stores"])


async def vector_stores(database: DatabaseDep, jobs: JobsDep) -> VectorStores:
    """The vector stores."""
    return VectorStores(database, IngestionJobs(jobs))


async def vector_store_files(database: DatabaseDep, jobs: JobsDep) -> VectorStoreFiles:
    """The files in vector stores."""
    return VectorStoreFiles(database, IngestionJobs(jobs))


async def file_batches(database: DatabaseDep, jobs: JobsDep) -> FileBatches:
    """The batches of files."""
    return FileBatches(database, IngestionJobs(jobs))


async def embedding_model(request: Request, models: ModelsDep) -> str:
    """The deployment that embeds new vector stores; a name that nobody has is kept, and ingestion says what to do."""
    name: str = request.app.state.settings.retrieval.embedding_model
    try:
        return models.find(name).name
    except ModelNotFound:
        return name


VectorStoresDep = Annotated[VectorStores, Depends(vector_stores)]
VectorStoreFilesDep = Annotated[VectorStoreFiles, Depends(vector_store_files)]
FileBatchesDep = Annotated[FileBatches, Depends(file_batches)]
EmbeddingModelDep = Annotated[str, Depends(embedding_model)]
StatusFilter = Annotated[
    ListVectorStoreFilesFilter | None, Query(alias="filter", description="Only files of this status.")
]


@router.post("/vector_stores", operation_id="createVectorStore", response_model=VectorStoreObject)
async def create_vector_store(
    body: CreateVectorStoreRequest, call: CurrentCall, stores: VectorStoresDep, jobs: JobsDep, model: EmbeddingModelDep
) -> Response:
    """Make a vector store, with files in it or empty."""
    store = await stores.create(call.caller.project, new_store(body), embedding_model=model)
    jobs.wake()
    return Json(store_json(store))


@router.get("/vector_stores", operation_id="listVectorStores", response_model=ListVectorStoresResponse)
async def list_vector_stores(call: CurrentCall, stores: VectorStoresDep, asked: AskedSlice) -> Response:
    """List the vector stores."""
    return Json(listed(await stores.list(call.caller.project, asked), store_json))


@router.get("/vector_stores/{vector_store_id}", operation_id="getVectorStore", response_model=VectorStoreObject)
async def get_vector_store(vector_store_id: str, call: CurrentCall, stores: VectorStoresDep) -> Response:
    """Return one vector store, with its files counted."""
    return Json(store_json(await stores.get(call.caller.project, vector_store_id)))


@router.post("/vector_stores/{vector_store_id}", operation_id="modifyVectorStore", response_model=VectorStoreObject)
async def modify_vector_store(
    vector_store_id: str, body: UpdateVectorStoreRequest, call: CurrentCall, stores: VectorStoresDep
) -> Response:
    """Change the name, description, metadata or expiry of a vector store."""
    return Json(store_json(await stores.update(call.caller.project, vector_store_id, store_changes(body))))


@router.delete(
    "/vector_stores/{vector_store_id}", operation_id="deleteVectorStore", response_model=DeleteVectorStoreResponse
)
async def delete_vector_store(
    vector_store_id: str, call: CurrentCall, stores: VectorStoresDep, jobs: JobsDep
) -> Response:
    """Delete a vector store; the files that were in it stay."""
    await stores.delete(call.caller.project, vector_store_id)
    jobs.wake()
    return Json({"id": vector_store_id, "object": "vector_store.deleted", "deleted": True})


@router.post(
    "/vector_stores/{vector_store_id}/search",
    operation_id="searchVectorStore",
    response_model=VectorStoreSearchResultsPage,
)
async def search_vector_store(
    vector_store_id: str, body: VectorStoreSearchRequest, call: CurrentCall, search: SearchDep
) -> Response:
    """Find the pieces of text that fit a question best."""
    return Json(await search_store(search, call.caller.project, vector_store_id, body))


@router.post(
    "/vector_stores/{vector_store_id}/files", operation_id="createVectorStoreFile", response_model=VectorStoreFileObject
)
async def create_vector_store_file(
    vector_store_id: str,
    body: CreateVectorStoreFileRequest,
    call: CurrentCall,
    files: VectorStoreFilesDep,
    jobs: JobsDep,
) -> Response:
    """Attach a file; it can be searched once its status is completed."""
    file = await files.attach(call.caller.project, vector_store_id, attachment(body))
    jobs.wake()
    return Json(file_json(file))


@router.get(
    "/vector_stores/{vector_store_id}/files",
    operation_id="listVectorStoreFiles",
    response_model=ListVectorStoreFilesResponse,
)
async def list_vector_store_files(
    vector_store_id: str,
    call: CurrentCall,
    files: VectorStoreFilesDep,
    asked: AskedSlice,
    *,
    status: StatusFilter = None,
) -> Response:
    """List the files in a vector store."""
    return Json(listed(await files.page(call.caller.project, vector_store_id, asked, status=status), file_json))


@router.get(
    "/vector_stores/{vector_store_id}/files/{file_id}",
    operation_id="getVectorStoreFile",
    response_model=VectorStoreFileObject,
)
async def get_vector_store_file(
    vector_store_id: str, file_id: str, call: CurrentCall, files: VectorStoreFilesDep
) -> Response:
    """Return one file of a vector store: how far it is, or why it failed."""
    return Json(file_json(await files.get(call.caller.project, vector_store_id, file_id)))


@router.post(
    "/vector_stores/{vector_store_id}/files/{file_id}",
    operation_id="updateVectorStoreFileAttributes",
    response_model=VectorStoreFileObject,
)
async def update_vector_store_file_attributes(
    vector_store_id: str,
    file_id: str,
    body: UpdateVectorStoreFileAttributesRequest,
    call: CurrentCall,
    files: VectorStoreFilesDep,
) -> Response:
    """Replace the attributes that searches filter by."""
    return Json(file_json(await files.update(call.caller.project, vector_store_id, file_id, body.attributes)))


@router.delete(
    "/vector_stores/{vector_store_id}/files/{file_id}",
    operation_id="deleteVectorStoreFile",
    response_model=DeleteVectorStoreFileResponse,
)
async def delete_vector_store_file(
    vector_store_id: str, file_id: str, call: CurrentCall, files: VectorStoreFilesDep
) -> Response:
    """Take a file out of a vector store; the file itself stays."""
    await files.detach(call.caller.project, vector_store_id, file_id)
    return Json({"id": file_id, "object": "vector_store.file.deleted", "deleted": True})


@router.get(
    "/vector_stores/{vector_store_id}/files/{file_id}/content",
    operation_id="retrieveVectorStoreFileContent",
    response_model=VectorStoreFileContentResponse,
)
async def retrieve_vector_store_file_content(
    vector_store_id: str, file_id: str, call: CurrentCall, files: VectorStoreFilesDep
) -> Response:
    """Return the text that was read from a file."""
    return Json(content_json(await files.text(call.caller.project, vector_store_id, file_id)))


@router.post(
    "/vector_stores/{vector_store_id}/file_batches",
    operation_id="createVectorStoreFileBatch",
    response_model=VectorStoreFileBatchObject,
)
async def create_vector_store_file_batch(
    vector_store_id: str,
    body: CreateVectorStoreFileBatchRequest,
    call: CurrentCall,
    batches: FileBatchesDep,
    jobs: JobsDep,
) -> Response:
    """Attach many files at once."""
    batch = await batches.create(call.caller.project, vector_store_id, batch_attachments(body))
    jobs.wake()
    return Json(batch_json(batch))


@router.get(
    "/vector_stores/{vector_store_id}/file_batches/{batch_id}",
    operation_id="getVectorStoreFileBatch",
    response_model=VectorStoreFileBatchObject,
)
async def get_vector_store_file_batch(
    vector_store_id: str, batch_id: str, call: CurrentCall, batches: FileBatchesDep
) -> Response:
    """Return one batch, with its files counted."""
    return Json(batch_json(await batches.get(call.caller.project, vector_store_id, batch_id)))


@router.post(
    "/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
    operation_id="cancelVectorStoreFileBatch",
    response_model=VectorStoreFileBatchObject,
)
async def cancel_vector_store_file_batch(
    vector_store_id: str, batch_id: str, call: CurrentCall, batches: FileBatchesDep, jobs: JobsDep
) -> Response:
    """Cancel what is left of a batch; files that are finished stay."""
    batch = await batches.cancel(call.caller.project, vector_store_id, batch_id)
    jobs.wake()
    return Json(batch_json(batch))


@router.get(
    "/vector_stores/{vector_store_id}/file_batches/{batch_id}/files",
    operation_id="listFilesInVectorStoreBatch",
    response_model=ListVectorStoreFilesResponse,
)
async def list_files_in_vector_store_batch(
    vector_store_id: str,
    batch_id: str,
    call: CurrentCall,
    batches: FileBatchesDep,
    asked: AskedSlice,
    *,
    status: StatusFilter = None,
) -> Response:
    """List the files of a batch."""
    project = call.caller.project
    page = await batches.list_files(project, vector_store_id, batch_id, asked, status=status)
    return Json(listed(page, file_json))
