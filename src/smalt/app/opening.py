"""Opens the rooms below the API, for the server and for the runner of jobs alike."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smalt.core.settings import Settings
from smalt.jobs.queue import JobQueue
from smalt.jobs.waking import wake_path
from smalt.store.blobs import Blobs
from smalt.store.database import Database, database_of
from smalt.store.migrating import migrate

if TYPE_CHECKING:
    from smalt.engines.host.client import EngineHost
    from smalt.models import Models
    from smalt.retrieval.data_sources import DataSources
    from smalt.retrieval.protocols import ChunkIndex
    from smalt.retrieval.search import Search


@dataclass(frozen=True)
class Rooms:
    """Everything below the API, open."""

    settings: Settings
    database: Database
    blobs: Blobs
    jobs: JobQueue
    host: "EngineHost | None"
    models: "Models"
    index: "ChunkIndex"
    search: "Search"
    data_sources: "DataSources"


async def open_rooms(
    settings: Settings, stack: AsyncExitStack, *, host_socket: str | None, models: "Models | None" = None
) -> Rooms:
    """Open everything; the stack closes it. Models that the caller brings stay the caller's to close."""
    database = await open_database(settings, stack)
    blobs = Blobs.open(settings.storage, settings.data_dir, database)
    stack.push_async_callback(blobs.close)
    host = await _connect(host_socket, stack)
    if models is None:
        from smalt.models import Models

        models = Models(settings, host)
        stack.push_async_callback(models.close)
    from smalt.retrieval.data_sources import DataSources
    from smalt.retrieval.index import open_index
    from smalt.retrieval.search import Search

    index = open_index(settings, host, database)
    stack.push_async_callback(index.close)
    search = Search(settings.retrieval, database, models, index)
    stack.push_async_callback(search.close)
    data_sources = DataSources(settings.retrieval, models)
    stack.push_async_callback(data_sources.close)
    jobs = JobQueue(wake_path(settings.data_dir))
    return Rooms(settings, database, blobs, jobs, host, models, index, search, data_sources)


async def open_database(settings: Settings, stack: AsyncExitStack) -> Database:
    """The database, brought up to date first."""
    place = database_of(settings)
    migrate(place)
    database = Database.open(place)
    stack.push_async_callback(database.close)
    return database


async def _connect(host_socket: str | None, stack: AsyncExitStack) -> "EngineHost | None":
    if host_socket is None:
        return None
    from smalt.engines.host.client import EngineHost

    host = await EngineHost.connect(host_socket)
    stack.push_async_callback(host.close)
    return host
