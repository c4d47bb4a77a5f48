"""Containers of the code interpreter: made, found, listed, used and deleted; they expire when nobody uses them."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.ids import timed_id
from smalt.store.container_files import copy_files, drop_files
from smalt.store.cursors import Collection, Slice, fetch_page
from smalt.store.database import Database
from smalt.store.paging import Page
from smalt.store.tables import container_files as files
from smalt.store.tables import containers as table

MINUTES = 20
MEMORY_LIMIT = "1g"
TOMBSTONE_SECONDS = 24 * 3600
SWEEP_SECONDS = 60.0
BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContainer:
    """A container to be made, with copies of kept files in it."""

    name: str
    id: str | None = None
    memory_limit: str = MEMORY_LIMIT
    expires_after_minutes: int = MINUTES
    file_ids: Sequence[str] = ()
    files_bytes: int | None = None
    """The most that its files may take together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container; `sequence` is its number in tables."""

    sequence: int
    id: str
    project: str
    name: str
    memory_limit: str
    created_at: int
    last_active_at: int
    expires_after_minutes: int
    expires_at: int
    is_expired: bool


class Containers:
    """The containers of every project; a caller sees its own project's only."""

    def __init__(self, database: Database, *, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._clock = clock

    async def create(self, project: str, new: NewContainer) -> Container:
        """Make one; `NotFound` for a file that the project does not have."""
        return await self._database.write(partial(_with_files, project=project, new=new, clock=self._clock))

    async def get(self, project: str, container_id: str) -> Container:
        """Find one, expired or not; `NotFound` when this project has none of this id."""
        return await self._database.read(
            partial(find_container, project=project, container_id=container_id, clock=self._clock)
        )

    async def use(self, project: str, container_id: str) -> Container:
        """Find one and note that it is used now; `InvalidRequest` when it has expired."""
        return await self._database.write(
            partial(use_container, project=project, container_id=container_id, clock=self._clock)
        )

    async def list(self, project: str, page: Slice, *, name: str | None = None) -> Page[Container]:
        """One page by time of creation, expired ones too."""

        def select(connection: sa.Connection) -> Page[Container]:
            collection = Collection(table, table.c.id, table.c.project == project, "container")
            found = fetch_page(connection, collection, page, where=() if name is None else (table.c.name == name,))
            return Page([_container(row, self._clock()) for row in found.items], has_more=found.has_more)

        return await self._database.read(select)

    async def delete(self, project: str, container_id: str) -> None:
        """Delete one and its files; `NotFound` as in `get`."""

        def bury(connection: sa.Connection) -> None:
            container = find_container(connection, project, container_id, clock=self._clock)
            _bury(connection, container.sequence, self._clock())

        await self._database.write(bury)


class ExpiredContainers:
    """The sweep that removes the files of expired containers, and a day later the containers."""

    name = "containers"
    seconds = SWEEP_SECONDS

    def __init__(self, database: Database, *, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._clock = clock

    async def sweep(self) -> None:
        """Do it now, a little at a time."""
        at = self._clock()
        for work in (_empty_expired, _bury_expired, _purge):
            while await self._database.write(partial(work, at=at)):
                pass


def next_sweep_at(connection: sa.Connection) -> int | None:
    """The second at which `ExpiredContainers` has something to do; None when nothing is to come."""
    has_files = sa.exists().where(files.c.container == table.c.sequence, files.c.deleted_at.is_(None))
    live = table.c.deleted_at.is_(None)
    due = [
        _first(connection, table.c.expires_at, 1, live, has_files),
        _first(connection, table.c.expires_at, TOMBSTONE_SECONDS + 1, live),
        _first(connection, table.c.deleted_at, TOMBSTONE_SECONDS + 1),
    ]
    return min((moment for moment in due if moment is not None), default=None)


def new_container_id() -> str:
    """An id of OpenAI's shape."""
    return timed_id("cntr_") + secrets.token_hex(8)


def find_container(
    connection: sa.Connection, project: str, container_id: str, *, clock: Callable[[], int] = now
) -> Container:
    """The container of this id, expired or not."""
    live = (table.c.project == project, table.c.id == container_id, table.c.deleted_at.is_(None))
    row = connection.execute(sa.select(table).where(*live)).one_or_none()
    if row is None:
        raise NotFound(
            f"Container with id '{container_id}' not found. It was never here, was deleted or has expired; make a new "
            "one."
        )
    return _container(row, clock())


def use_container(
    connection: sa.Connection, project: str, container_id: str, *, clock: Callable[[], int] = now
) -> Container:
    """The container of this id, which is used now, within a write."""
    container = find_container(connection, project, container_id, clock=clock)
    require_unexpired(container)
    at = clock()
    expires_at = at + container.expires_after_minutes * 60
    changed = sa.update(table).where(table.c.sequence == container.sequence)
    connection.execute(changed.values(last_active_at=at, expires_at=expires_at))
    return find_container(connection, project, container_id, clock=clock)


def require_unexpired(container: Container) -> None:
    """Raise `InvalidRequest` when its time is over."""
    if container.is_expired:
        raise InvalidRequest(
            f"Container is expired: '{container.id}' was not used for {container.expires_after_minutes} minutes, and "
            "its files are gone. Make a new one."
        )


def _with_files(connection: sa.Connection, project: str, new: NewContainer, clock: Callable[[], int]) -> Container:
    at, made_id = clock(), new.id or new_container_id()
    row = {
        "id": made_id,
        "project": project,
        "name": new.name,
        "memory_limit": new.memory_limit,
        "created_at": at,
        "last_active_at": at,
        "expires_after_minutes": new.expires_after_minutes,
        "expires_at": at + new.expires_after_minutes * 60,
    }
    connection.execute(sa.insert(table).values(row))
    container = find_container(connection, project, made_id, clock=clock)
    copy_files(connection, container.sequence, project, new.file_ids, most_bytes=new.files_bytes)
    return container


def _container(row: sa.Row[Any], at: int) -> Container:
    named = {name: getattr(row, name) for name in Container.__dataclass_fields__ if name != "is_expired"}
    return Container(**named, is_expired=row.expires_at <= at)


def _bury(connection: sa.Connection, sequence: int, at: int) -> None:
    drop_files(connection, files.c.container == sequence, at)
    connection.execute(sa.update(table).where(table.c.sequence == sequence).values(deleted_at=at))


def _empty_expired(connection: sa.Connection, at: int) -> bool:
    has_files = sa.exists().where(files.c.container == table.c.sequence, files.c.deleted_at.is_(None))
    query = sa.select(table.c.sequence).where(table.c.expires_at <= at, has_files).limit(BATCH)
    sequences = list(connection.execute(query).scalars())
    drop_files(connection, files.c.container.in_(sequences), at)
    return len(sequences) == BATCH


def _bury_expired(connection: sa.Connection, at: int) -> bool:
    old = (table.c.expires_at < at - TOMBSTONE_SECONDS, table.c.deleted_at.is_(None))
    sequences = list(connection.execute(sa.select(table.c.sequence).where(*old).limit(BATCH)).scalars())
    for sequence in sequences:
        _bury(connection, sequence, at)
    return len(sequences) == BATCH


def _purge(connection: sa.Connection, at: int) -> bool:
    before = at - TOMBSTONE_SECONDS
    old = sa.select(table.c.sequence).where(table.c.deleted_at < before).limit(BATCH)
    sequences = list(connection.execute(old).scalars())
    connection.execute(sa.delete(table).where(table.c.sequence.in_(sequences)))
    return len(sequences) == BATCH


def _first(connection: sa.Connection, column: sa.Column[int], later: int, *where: sa.ColumnElement[bool]) -> int | None:
    moment: int | None = connection.execute(sa.select(sa.func.min(column)).where(*where)).scalar_one_or_none()
    return None if moment is None else moment + later
