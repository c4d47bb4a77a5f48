"""Lets one process at a time work on a folder."""

import fcntl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PAUSE_SECONDS = 0.1


@contextmanager
def locked(path: Path, waiting: Callable[[bool], None]) -> Generator[None]:
    """Hold the lock file `path`; while another process or thread has it, call `waiting` again and again.

    `waiting` hears True the first time. The system frees the lock of a process that dies; the file itself stays,
    because removing it would let two processes hold two locks of one name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        is_first = True
        while not _try_lock(file):
            waiting(is_first)
            is_first = False
            time.sleep(PAUSE_SECONDS)
        yield


def _try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
