"""The wire vocabulary of containers: places where code is run, and the files in them."""

from typing import Annotated, Literal

from pydantic import Field

from smalt.schemas.files import Binary
from smalt.schemas.responses.tools import MOST_FILES_OF_A_CONTAINER, ContainerMemoryLimit, ContainerNetworkPolicy
from smalt.schemas.wire import Body, Request, Wire

MOST_MINUTES = 24 * 60


class ContainerExpirationAfter(Request):
    """When a container that nobody uses expires."""

    anchor: Literal["last_active_at"]
    minutes: Annotated[int, Field(ge=1, le=MOST_MINUTES)]


class CreateContainerBody(Body):
    """Makes a container, with files in it or empty."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    file_ids: Annotated[list[str], Field(max_length=MOST_FILES_OF_A_CONTAINER)] | None = None
    expires_after: ContainerExpirationAfter | None = None
    memory_limit: ContainerMemoryLimit | None = None
    network_policy: ContainerNetworkPolicy | None = None


class CreateContainerFileBody(Body):
    """Puts a file into a container: the id of one that is kept, in JSON, or its content, in a form."""

    file_id: str | None = None
    file: Binary | None = None


class ContainerNetworkPolicyResource(Wire):
    """Which hosts a container reaches."""

    type: Literal["allowlist", "disabled"]
    allowed_domains: list[str] | None = None


class ContainerResource(Wire):
    """A container."""

    id: str
    object: Literal["container"]
    created_at: int
    name: str
    status: Literal["running", "active", "expired", "deleted"]
    last_active_at: int | None = None
    expires_after: ContainerExpirationAfter | None = None
    memory_limit: ContainerMemoryLimit | None = None
    network_policy: ContainerNetworkPolicyResource | None = None


class ContainerListResource(Wire):
    """A page of containers."""

    object: Literal["list"]
    data: list[ContainerResource]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedContainerResource(Wire):
    """Says that a container is gone, and its files with it."""

    id: str
    object: Literal["container.deleted"]
    deleted: bool


class ContainerFileResource(Wire):
    """A file in a container; `source` says who put it there."""

    id: str
    object: Literal["container.file"]
    container_id: str
    created_at: int
    bytes: int
    path: str
    source: Literal["user", "assistant"]


class ContainerFileListResource(Wire):
    """A page of the files in a container."""

    object: Literal["list"]
    data: list[ContainerFileResource]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedContainerFileResource(Wire):
    """Says that a file is no longer in a container."""

    id: str
    object: Literal["container.file.deleted"]
    deleted: bool
