"""Opens the rooms below the API, for the server and for the runner of jobs alike."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from smalt.core.settings import Settings
from smalt.jobs.queue import JobQueue
from smalt.jobs.waking import wake_path
from smalt.store.blobs import Blobs
from smalt.store.database import Database, database_of
from smalt.store.migrating import migrate

if TYPE_CHECKING:
    from smalt.api.hearing import Ears
    from smalt.api.responses.execution import Runs
    from smalt.api.responses.input_files import InputFiles
    from smalt.engines.host.client import EngineHost
    from smalt.models import Models
    from smalt.retrieval.data_sources import DataSources
    from smalt.retrieval.protocols import ChunkIndex
    from smalt.retrieval.search import Search
    from smalt.safety.policy_filter import PolicyFilter
    from smalt.tools.code_interpreter import CodeContainers
    from smalt.tools.mcp import McpClients
    from smalt.tools.web_search import WebClient


@dataclass(frozen=True)
class Rooms:
    """Everything below the API; what searches is opened when it is first asked for: a server starts without it."""

    settings: Settings
    database: Database
    blobs: Blobs
    jobs: JobQueue
    host: "EngineHost | None"
    models: "Models"
    _stack: AsyncExitStack

    @cached_property
    def content_filter(self) -> "PolicyFilter":
        """Looks at prompts and answers."""
        from smalt.safety.policy_filter import PolicyFilter

        return PolicyFilter(self.settings.content_filter, self.models, self.database)

    @cached_property
    def ears(self) -> "Ears":
        """Hears the recordings in conversations."""
        from smalt.api.hearing import Ears

        return Ears(self.models, self.settings.audio)

    @cached_property
    def index(self) -> "ChunkIndex":
        """Finds chunks."""
        from smalt.retrieval.index import open_index

        index = open_index(self.settings, self.host, self.database)
        self._stack.push_async_callback(index.close)
        return index

    @cached_property
    def search(self) -> "Search":
        """Searches vector stores."""
        from smalt.retrieval.search import Search

        search = Search(self.settings.retrieval, self.database, self.models, self.index)
        self._stack.push_async_callback(search.close)
        return search

    @cached_property
    def input_files(self) -> "InputFiles":
        """Reads the files that requests for responses name."""
        from smalt.api.responses.input_files import InputFiles

        files = InputFiles.of(self.settings, self.database, self.blobs)
        self._stack.push_async_callback(files.close)
        return files

    @cached_property
    def data_sources(self) -> "DataSources":
        """Searches what a chat request names."""
        from smalt.retrieval.data_sources import DataSources

        data_sources = DataSources(self.settings.retrieval, self.models)
        self._stack.push_async_callback(data_sources.close)
        return data_sources

    @cached_property
    def containers(self) -> "CodeContainers":
        """Runs code in containers."""
        from smalt.tools.code_interpreter import CodeContainers

        containers = CodeContainers(self.settings, self.host, self.database, self.blobs)
        self._stack.push_async_callback(containers.close)
        return containers

    @cached_property
    def mcp(self) -> "McpClients":
        """Talks to MCP servers."""
        from smalt.tools.mcp import McpClients

        clients = McpClients(self.settings.mcp)
        self._stack.push_async_callback(clients.close)
        return clients

    @cached_property
    def web(self) -> "WebClient":
        """Asks search services."""
        from smalt.tools.web_search import WebClient

        client = WebClient()
        self._stack.push_async_callback(client.close)
        return client

    @cached_property
    def runs(self) -> "Runs":
        """Makes responses."""
        from smalt.api.responses.execution import Runs
        from smalt.store.responses import Responses

        runs = Runs(self.settings, Responses(self.database, self.jobs))
        self._stack.push_async_callback(runs.close)
        return runs


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
    return Rooms(settings, database, blobs, JobQueue(wake_path(settings.data_dir)), host, models, stack)


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
