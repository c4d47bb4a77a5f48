"""Containers: places where code is run, and the files in them."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from smalt.api.containers.file_creation import ContainerFileCreation
from smalt.api.dependencies import BlobsDep
from smalt.core.errors import UnsupportedValue
from smalt.http.answers import Json
from smalt.http.body import Body
from smalt.http.dependencies import CurrentCall
from smalt.http.downloads import Download, sent
from smalt.http.openapi import form_of
from smalt.http.paging import AskedSlice, listed
from smalt.http.routing import Router
from smalt.schemas.containers import (
    ContainerFileListResource,
    ContainerFileResource,
    ContainerListResource,
    ContainerResource,
    CreateContainerBody,
    CreateContainerFileBody,
    DeletedContainerFileResource,
    DeletedContainerResource,
)
from smalt.store.container_files import ContainerFile
from smalt.store.containers import MEMORY_LIMIT, MINUTES, Container, NewContainer, require_unexpired
from smalt.tools.code_interpreter.containers import CodeContainers

router = Router(tags=["containers"])

FOLDER = "/mnt/data"
BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


async def code_containers(request: Request) -> CodeContainers:
    """The containers of every project."""
    return request.app.state.rooms.containers


ContainersDep = Annotated[CodeContainers, Depends(code_containers)]
NameFilter = Annotated[str | None, Query(description="Only containers with this name.")]


@router.post("/containers", operation_id="createContainer", response_model=ContainerResource)
async def create_container(body: CreateContainerBody, call: CurrentCall, containers: ContainersDep) -> Response:
    """Make a container, with copies of files in it or empty."""
    _refuse_what_is_not_served(body)
    memory_limit = body.memory_limit or MEMORY_LIMIT
    containers.check_memory(memory_limit, param="memory_limit")
    new = NewContainer(
        name=body.name,
        memory_limit=memory_limit,
        expires_after_minutes=body.expires_after.minutes if body.expires_after else MINUTES,
        file_ids=body.file_ids or (),
        files_bytes=containers.settings.files_bytes,
    )
    return Json(_container_json(await containers.create(call.caller.project, new)))


@router.get("/containers", operation_id="listContainers", response_model=ContainerListResource)
async def list_containers(
    call: CurrentCall, containers: ContainersDep, asked: AskedSlice, *, name: NameFilter = None
) -> Response:
    """List the containers."""
    return Json(listed(await containers.rows.list(call.caller.project, asked, name=name), _container_json))


@router.get("/containers/{container_id}", operation_id="retrieveContainer", response_model=ContainerResource)
async def retrieve_container(container_id: str, call: CurrentCall, containers: ContainersDep) -> Response:
    """Return one container."""
    return Json(_container_json(await containers.rows.get(call.caller.project, container_id)))


@router.delete("/containers/{container_id}", operation_id="deleteContainer", response_model=DeletedContainerResource)
async def delete_container(container_id: str, call: CurrentCall, containers: ContainersDep) -> Response:
    """Delete a container, its files and what runs in it."""
    await containers.delete(call.caller.project, container_id)
    return Json({"id": container_id, "object": "container.deleted", "deleted": True})


@router.post(
    "/containers/{container_id}/files",
    operation_id="createContainerFile",
    response_model=ContainerFileResource,
    openapi_extra=form_of(CreateContainerFileBody),
    streamed=True,
)
async def create_container_file(
    container_id: str, body: Body, call: CurrentCall, containers: ContainersDep, blobs: BlobsDep
) -> Response:
    """Put a file into a container: a copy of one that was uploaded, or what the form sends."""
    project = call.caller.project
    container = await containers.rows.use(project, container_id)
    creation = ContainerFileCreation(containers.files, blobs, containers.settings.files_bytes)
    return Json(_file_json(await creation.create(body, project, container), container_id=container.id))


@router.get(
    "/containers/{container_id}/files", operation_id="listContainerFiles", response_model=ContainerFileListResource
)
async def list_container_files(
    container_id: str, call: CurrentCall, containers: ContainersDep, asked: AskedSlice
) -> Response:
    """List the files in a container, those that code has made too."""
    container = await _usable(containers, call.caller.project, container_id)
    page = await containers.files.page(container.sequence, asked)
    return Json(listed(page, partial(_file_json, container_id=container.id)))


@router.get(
    "/containers/{container_id}/files/{file_id}",
    operation_id="retrieveContainerFile",
    response_model=ContainerFileResource,
)
async def retrieve_container_file(
    container_id: str, file_id: str, call: CurrentCall, containers: ContainersDep
) -> Response:
    """Return one file's description, without its content."""
    container = await _usable(containers, call.caller.project, container_id)
    file = await containers.files.get(container.sequence, file_id)
    return Json(_file_json(file, container_id=container.id))


@router.get(
    "/containers/{container_id}/files/{file_id}/content",
    operation_id="retrieveContainerFileContent",
    response_class=Response,
    responses=BINARY,
)
async def retrieve_container_file_content(
    container_id: str, file_id: str, request: Request, call: CurrentCall, containers: ContainersDep, blobs: BlobsDep
) -> Response:
    """Return a file's content, or a range of it."""
    container = await _usable(containers, call.caller.project, container_id)
    file = await containers.files.get(container.sequence, file_id)
    return await sent(request, Download(file.bytes, file.digest, file.filename, partial(blobs.read, file.digest)))


@router.delete(
    "/containers/{container_id}/files/{file_id}",
    operation_id="deleteContainerFile",
    response_model=DeletedContainerFileResource,
)
async def delete_container_file(
    container_id: str, file_id: str, call: CurrentCall, containers: ContainersDep
) -> Response:
    """Take a file out of a container; the uploaded file that it is a copy of stays."""
    container = await _usable(containers, call.caller.project, container_id)
    await containers.files.delete(container.sequence, file_id)
    return Json({"id": file_id, "object": "container.file.deleted", "deleted": True})


async def _usable(containers: CodeContainers, project: str, container_id: str) -> Container:
    container = await containers.rows.get(project, container_id)
    require_unexpired(container)
    return container


def _refuse_what_is_not_served(body: CreateContainerBody) -> None:
    if body.network_policy is not None and body.network_policy.type == "allowlist":
        raise UnsupportedValue(
            "A container has no network here: 'network_policy' may only be disabled.", param="network_policy"
        )
    if (body.model_extra or {}).get("skills"):
        raise UnsupportedValue("Containers have no skills here: leave 'skills' out.", param="skills")


def _container_json(container: Container) -> dict[str, Any]:
    return {
        "id": container.id,
        "object": "container",
        "created_at": container.created_at,
        "status": "expired" if container.is_expired else "running",
        "expires_after": {"anchor": "last_active_at", "minutes": container.expires_after_minutes},
        "last_active_at": container.last_active_at,
        "memory_limit": container.memory_limit,
        "name": container.name,
        "network_policy": {"type": "disabled"},
    }


def _file_json(file: ContainerFile, *, container_id: str) -> dict[str, Any]:
    return {
        "id": file.id,
        "object": "container.file",
        "created_at": file.created_at,
        "bytes": file.bytes,
        "container_id": container_id,
        "path": f"{FOLDER}/{file.path}",
        "source": file.source,
    }
