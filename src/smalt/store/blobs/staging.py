"""Takes in a stream: to a private file on disk, hashed on the way, so that half of it never shows anywhere."""

import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from smalt.store.blobs.threads import Threads

FLUSH_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Staged:
    """A stream that has ended well: a private file with its content, and what is known of it."""

    path: Path
    digest: str
    bytes: int


class StagingFile:
    """A file that is being written; the lock keeps its end from coming in the middle of a write."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / secrets.token_hex(16)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._lock = Lock()
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, chunks: list[bytes]) -> None:
        """Append some bytes."""
        data = memoryview(b"".join(chunks))
        with self._lock:
            self._hash.update(data)
            self._size += len(data)
            while data:
                data = data[self._file.write(data) :]

    def finish(self) -> Staged:
        """End it well."""
        with self._lock:
            self._file.close()
        return Staged(self.path, self._hash.hexdigest(), self._size)

    def discard(self) -> None:
        """Remove it, unless it was moved to where it is kept."""
        with self._lock:
            self._file.close()
        self.path.unlink(missing_ok=True)


async def write_stream(file: StagingFile, content: AsyncIterator[bytes], threads: Threads) -> Staged:
    """Write all of a stream to a file, never more than a little of it in memory."""
    waiting: list[bytes] = []
    size = 0
    async for chunk in content:
        waiting.append(chunk)
        size += len(chunk)
        if size >= FLUSH_BYTES:
            await threads.run(file.write, waiting)
            waiting, size = [], 0
    await threads.run(file.write, waiting)
    return await threads.run(file.finish)


def remove_stale(folder: Path, older_than_seconds: float) -> None:
    """Remove the files of streams that nobody writes any more."""
    if not folder.is_dir():
        return
    # The clock of the file system, since it is compared with what that has written down.
    oldest = time.time() - older_than_seconds
    for entry in os.scandir(folder):
        # Another process may end its stream, and so move or remove the file, between any two looks at it.
        with suppress(FileNotFoundError):
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                Path(entry.path).unlink()
