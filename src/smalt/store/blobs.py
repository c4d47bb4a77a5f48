"""The content of files, by its digest: whole or not there at all."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from smalt.core.settings import StorageSettings
from smalt.store.database import Database


@dataclass(frozen=True, slots=True)
class Blob:
    """Content that the storage has: its SHA-256 (hexadecimal), its length and its first bytes are known."""

    digest: str
    bytes: int


class Blobs:
    """Content-addressed storage on a folder, S3, Azure Blob or GCS."""

    @classmethod
    def open(cls, settings: StorageSettings, data_dir: Path, database: Database) -> Self:
        """Open the storage; nothing is contacted until the first use."""
        del settings, data_dir, database
        return cls()

    async def put(self, content: AsyncIterator[bytes]) -> Blob:
        """Keep a stream; it is durable when this returns, and nothing of it shows when it fails.

        The caller refers to the blob in the write that follows with `claim`, or it is swept away after a while.
        """
        raise NotImplementedError

    @staticmethod
    def claim(connection: sa.Connection, digest: str) -> None:
        """Within the write that makes a row refer to a blob: keep it alive; raises when it was swept meanwhile."""
        raise NotImplementedError

    @staticmethod
    def release(connection: sa.Connection, digest: str) -> None:
        """Within the write that removed a reference (already removed): doom the blob when it was the last one."""
        raise NotImplementedError

    def read(self, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Stream the bytes from `start` up to (not including) `end`."""
        raise NotImplementedError

    async def local_path(self, digest: str, folder: Path) -> Path:
        """A file with the content, for libraries that want one; in `folder` unless the storage itself is local."""
        raise NotImplementedError

    async def sweep(self) -> None:
        """Remove doomed content, and what was begun and never finished."""
        raise NotImplementedError

    async def close(self) -> None:
        """Release connections."""
