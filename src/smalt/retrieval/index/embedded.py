"""The embedded index: a worker process under the engine host has it, and every process of the server asks that one."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smalt.core.errors import EngineFailed, MissingExtra
from smalt.core.settings import Settings
from smalt.engines.channel import ChannelClient
from smalt.engines.host.client import EngineHost
from smalt.engines.protocols import WorkerSpec
from smalt.retrieval.index.messages import pack_query, unpack_hits
from smalt.retrieval.protocols import Hit, IndexQuery
from smalt.store.connecting import database_url
from smalt.store.database import database_of

if TYPE_CHECKING:
    from smalt.retrieval.index.worker.shelf import Shelf

TARGET = "smalt.retrieval.index.worker.serving:serve"
BASE_BYTES = 160 * 2**20
"""What the process takes before it has opened an index; the host counts what it really takes when that is more."""

# Searches run on as many threads as there are cores already.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class EmbeddedIndex:
    """Asks the worker; a search that the worker's death cut short is asked once more of the next worker."""

    def __init__(self, spec: WorkerSpec, host: EngineHost) -> None:
        self._host = host
        self._spec = spec
        self._channel: ChannelClient | None = None
        self._socket_path: str | None = None

    async def search(self, query: IndexQuery) -> list[Hit]:
        """The best hits."""
        header, payload = pack_query(query)
        return unpack_hits(await self._call("search", header, payload))

    async def forget(self, vector_store: int) -> None:
        """Close the store and remove its files."""
        await self._call("forget", {"vector_store": vector_store})

    async def close(self) -> None:
        """Close the connection; the worker stays for others."""
        if self._channel is not None:
            await self._channel.close()

    async def _call(self, method: str, header: Mapping[str, Any], payload: bytes = b"") -> Mapping[str, Any]:
        try:
            return await self._call_once(method, header, payload)
        except EngineFailed:
            # The worker was killed, perhaps for another's fault. Everything here may be asked twice.
            return await self._call_once(method, header, payload)

    async def _call_once(self, method: str, header: Mapping[str, Any], payload: bytes) -> Mapping[str, Any]:
        async with self._host.lease(self._spec) as worker:
            channel = await self._channel_to(worker.socket_path)
            answer, _ = await channel.call(method, header, payload)
            return answer

    async def _channel_to(self, socket_path: str) -> ChannelClient:
        if self._channel is None or self._socket_path != socket_path:
            before, self._channel = self._channel, ChannelClient(socket_path)
            self._socket_path = socket_path
            if before is not None:
                await before.close()
        return self._channel


class LocalIndex:
    """The same index inside this process, for servers without an engine host; made with the first search."""

    def __init__(self, settings: Settings) -> None:
        self._options = worker_spec(settings).options
        self._shelf: Shelf | None = None
        self._opening = asyncio.Lock()

    async def search(self, query: IndexQuery) -> list[Hit]:
        """The best hits."""
        return await (await self._opened()).search(query)

    async def forget(self, vector_store: int) -> None:
        """Close the store and remove its files."""
        await (await self._opened()).forget(vector_store)

    async def close(self) -> None:
        """Save what has changed and close every store."""
        if self._shelf is not None:
            await self._shelf.close()

    async def _opened(self) -> "Shelf":
        async with self._opening:
            if self._shelf is None:
                try:
                    from smalt.retrieval.index.worker.shelf import Shelf
                except ModuleNotFoundError as error:
                    raise MissingExtra(error.name or "faiss", extra="local") from error
                options = self._options
                self._shelf = Shelf(options["database"], Path(options["folder"]), options["memory_bytes"])
            return self._shelf


def worker_spec(settings: Settings) -> WorkerSpec:
    """The one worker that has all indexes of a data folder."""
    url = database_url(database_of(settings))
    folder = str((settings.data_dir / "index").absolute())
    # The key is logged, so no password goes into it; the options go to the worker's standard input.
    named = f"{url.render_as_string(hide_password=True)} {folder}".encode()
    options = {
        "database": url.render_as_string(hide_password=False),
        "folder": folder,
        "memory_bytes": settings.retrieval.index_memory_bytes,
        "env": ENVIRONMENT,
    }
    return WorkerSpec(f"index:{hashlib.sha256(named).hexdigest()[:16]}", TARGET, options, BASE_BYTES)
