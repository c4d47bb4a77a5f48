"""Watches a sandbox while it works, for what the kernel's own limits do not hold for everybody."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from smalt.sandbox.limits import INODES, THREADS, Limits

PAUSE_SECONDS = 0.1
FOLDERS = ("mnt/data", "tmp")


class Watch:
    """Looks at threads, memory and the number of files; ends the process when there are too many."""

    def __init__(self, pid: int, limits: Limits) -> None:
        self._status = Path(f"/proc/{pid}/status")
        # The kernel limits private memory; this is for what is shared between threads and nobody else.
        self._most_memory_kb = limits.memory_bytes * 5 // 4 // 1024
        self._folders = [_opened(pid, folder) for folder in FOLDERS]
        self.reason = ""

    async def run(self, end: Callable[[], None]) -> None:
        """Watch until this is cancelled, or call `end` once, with `reason` set."""
        while not self.reason:
            await asyncio.sleep(PAUSE_SECONDS)
            self.reason = self._excess() or self.reason
        end()

    def close(self) -> None:
        """Let go of the folders."""
        for folder in self._folders:
            if folder is not None:
                os.close(folder)
        self._folders = []

    def _excess(self) -> str:
        with suppress(OSError, ValueError):
            fields = dict(line.split(":", 1) for line in self._status.read_text("ascii", "replace").splitlines())
            if int(fields["Threads"]) > THREADS:
                return f"it had more than {THREADS} threads"
            if int(fields.get("VmRSS", "0 kB").split()[0]) > self._most_memory_kb:
                return "it took more memory than its memory_limit"
        for folder in self._folders:
            with suppress(OSError):
                if folder is not None and (about := os.fstatvfs(folder)).f_files - about.f_ffree > INODES:
                    return f"it made more than {INODES} files"
        return ""


def inner_pid(info: Mapping[str, Any]) -> int:
    """The interpreter's process id here: it is the one child of the first process in the sandbox."""
    first = int(info.get("child-pid", 0))
    with suppress(OSError):
        children = Path(f"/proc/{first}/task/{first}/children").read_text("ascii").split()
        if len(children) == 1:
            return int(children[0])
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            if int(status.read_text("latin-1").rpartition(")")[2].split()[1]) == first:
                return int(status.parent.name)
    raise ValueError("its process was not found")


def _opened(pid: int, folder: str) -> int | None:
    """A folder of the sandbox, to ask how many files it has; None where the system does not let us."""
    with suppress(OSError):
        return os.open(f"/proc/{pid}/root/{folder}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return None
