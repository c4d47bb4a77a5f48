"""A folder for what ingestion keeps on disk for a moment; what killed processes left is removed."""

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO


class Scratch:
    """A folder of this process's own, as long as it holds the lock in it."""

    def __init__(self, data_dir: Path) -> None:
        self._parent = data_dir / "run" / "ingestion"
        self._lock: IO[bytes] | None = None
        self._path = self._parent / secrets.token_hex(8)

    @property
    def path(self) -> Path:
        """The folder, made on first use."""
        if self._lock is None:
            self._path.mkdir(parents=True, mode=0o700)
            self._lock = (self._path / "lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._remove_left_over()
        return self._path

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        if self._lock is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._lock.close()
            self._lock = None

    def _remove_left_over(self) -> None:
        for folder in self._parent.iterdir():
            if folder != self._path and _is_left_over(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left_over(folder: Path) -> bool:
    """Whether nobody holds its lock; a folder without one is being made just now."""
    with suppress(OSError):
        file = os.open(folder / "lock", os.O_WRONLY)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(file)
        return True
    return False
