"""Where objects lie by their keys: a folder, S3, Azure Blob or GCS."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from smalt.core.settings import StorageSettings
from smalt.store.blobs.failures import mapping_storage_failures
from smalt.store.blobs.threads import Threads

if TYPE_CHECKING:
    from obstore.store import ObjectStore, RetryConfig

CLOUDS = frozenset({"s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss"})
PAGE = 1000
READ_BYTES = 256 * 2**10
PART_BYTES = 16 * 2**20
# obstore would try for three minutes, while a client waits.
RETRIES: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
CLIENT_OPTIONS = frozenset(
    {
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "pool_idle_timeout",
        "pool_max_idle_per_host",
        "proxy_url",
        "proxy_ca_certificate",
        "proxy_excludes",
        "root_certificate",
        "timeout",
        "user_agent",
    }
)
"""Options of obstore's HTTP client; all others are the storage's."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that the storage has, whether or not anybody knows of it."""

    key: str
    modified_at: float


class Storage(Protocol):
    """Keeps objects by keys; an object is there whole or not at all."""

    staging: Path
    """Where streams are taken in."""

    async def put(self, key: str, source: Path) -> None:
        """Keep a file's content, durably; the file may be gone afterwards."""
        ...

    async def has(self, key: str, size: int) -> bool:
        """Whether there is an object of this size."""
        ...

    def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of an object from `start` up to (not including) `end`."""
        ...

    async def delete(self, key: str) -> None:
        """Forget an object; it may be forgotten already."""
        ...

    def list(self) -> AsyncIterator[list[StoredObject]]:
        """Every object, in pages."""
        ...

    def path(self, key: str) -> Path | None:
        """The file of an object, where objects are files."""
        ...


def open_storage(settings: StorageSettings, data_dir: Path, threads: Threads) -> Storage:
    """The storage that the settings name; raises ValueError for an address that is none."""
    if settings.url is None:
        return Folder(data_dir / "blobs", threads)
    parts = urlsplit(settings.url)
    if parts.scheme == "file":
        return Folder(Path(url2pathname(parts.path)), threads)
    if parts.scheme not in CLOUDS:
        raise ValueError(f"storage.url = {settings.url!r}: use s3://, az://, gs:// or file:///")
    return Cloud(settings.url, settings.options, data_dir / "staging")


class ObjectStorage:
    """What all of obstore's storages have in common; obstore is imported with the first use."""

    staging: Path

    def __init__(self) -> None:
        self._opened: ObjectStore | None = None

    async def has(self, key: str, size: int) -> bool:
        """Whether there is an object of this size."""
        import obstore

        with mapping_storage_failures():
            try:
                return (await obstore.head_async(self._store(), key))["size"] == size
            except FileNotFoundError:
                return False

    async def read(self, key: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """The bytes of an object from `start` up to (not including) `end`."""
        import obstore

        if start >= end:
            return
        with mapping_storage_failures():
            answer = await obstore.get_async(self._store(), key, options={"range": (start, end)})
            async for chunk in answer.stream(min_chunk_size=READ_BYTES):
                yield bytes(chunk)

    async def delete(self, key: str) -> None:
        """Forget an object; it may be forgotten already."""
        import obstore

        with mapping_storage_failures():
            try:
                await obstore.delete_async(self._store(), key)
            except FileNotFoundError:
                return

    async def list(self) -> AsyncGenerator[list[StoredObject]]:
        """Every object, in pages."""
        import obstore

        with mapping_storage_failures():
            pages = obstore.list(self._store(), chunk_size=PAGE)  # pyright: ignore[reportUnknownMemberType] - its Arrow form
            async for page in pages:
                yield [StoredObject(one["path"], one["last_modified"].timestamp()) for one in page]

    def _store(self) -> "ObjectStore":
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> "ObjectStore":
        raise NotImplementedError


class Folder(ObjectStorage):
    """A folder on this machine. What it acknowledges survives a power cut, which obstore does not see to."""

    def __init__(self, root: Path, threads: Threads) -> None:
        super().__init__()
        self._root = root
        self._threads = threads
        # Within the folder, since a file can only be renamed into place on its own file system.
        self.staging = root / ".staging"

    async def put(self, key: str, source: Path) -> None:
        """Move a file into its place."""
        await self._threads.run(self._move, source, self._root / key)

    def path(self, key: str) -> Path:
        """The file of an object."""
        return self._root / key

    def _move(self, source: Path, target: Path) -> None:
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _sync(self._root)
            _sync(self._root.parent)
        _sync(source)
        source.replace(target)
        _sync(target.parent)

    def _open(self) -> "ObjectStore":
        from obstore.store import LocalStore

        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LocalStore(prefix=self._root)


class Cloud(ObjectStorage):
    """A bucket or container. Secrets may come from the environment, where the providers' own tools look for them."""

    def __init__(self, url: str, options: Mapping[str, str], staging: Path) -> None:
        super().__init__()
        self._url = url
        self._options = options
        self.staging = staging

    async def put(self, key: str, source: Path) -> None:
        """Send a file, in parts when it is large; the object shows when the last part is there."""
        import obstore

        with mapping_storage_failures():
            await obstore.put_async(self._store(), key, source, chunk_size=PART_BYTES, max_concurrency=4)

    def path(self, key: str) -> None:
        """None: an object is no file here."""
        del key

    def _open(self) -> "ObjectStore":
        from obstore.store import from_url

        client: Any = {name: value for name, value in self._options.items() if name in CLIENT_OPTIONS}
        config: Any = {name: value for name, value in self._options.items() if name not in CLIENT_OPTIONS}
        return from_url(self._url, config=config, client_options=client, retry_config=RETRIES)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
