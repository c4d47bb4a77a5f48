"""Keeps two servers from using one data folder."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from smalt.cli.options import refuse

LOCK = "serve.lock"


@contextmanager
def claiming(data_dir: Path, address: str) -> Generator[None]:
    """Hold the data folder for this server; ends the program with advice when another server holds it."""
    # Opening it close-on-exec keeps the claim with this process: workers that outlive it must not hold the folder.
    lock = os.open(data_dir / "run" / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 200, 0).decode(errors="replace").strip()
            refuse(
                f"Another smalt serve ({holder}) uses the data folder {data_dir}.",
                "Stop it, give it --workers, or set another data_dir (SMALT_DATA_DIR).",
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} at {address}".encode(), 0)
        yield
    finally:
        os.close(lock)
