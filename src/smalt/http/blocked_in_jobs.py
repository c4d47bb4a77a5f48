"""Hands what the content filter has blocked in jobs, whose process nobody scrapes, to a process that is scraped."""

import fcntl
import logging
import os
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import orjson

from smalt.core.settings import Settings

logger = logging.getLogger(__name__)

Labels = tuple[str, str, str]
"""The deployment, the side and the category."""


class BlockedInJobs:
    """Counts in a file of the data folder: jobs add to them, and who takes them there are, has them alone."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.data_dir / "metrics" / "blocked_in_jobs.json"

    def filtered(self, deployment: str, side: str, category: str) -> None:
        """Count a prompt or a choice that was blocked for a category; a job goes on where that cannot be kept."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self._path) as file:
                counts = _read(file)
                counts[deployment, side, category] += 1
                _write(file, orjson.dumps([[*labels, count] for labels, count in counts.items()]))
        except OSError as error:
            logger.warning("what was blocked in a job cannot be counted", extra={"error": str(error)})

    def take(self) -> Counter[Labels]:
        """What was counted since the last time; nothing where that cannot be read, since a page has more to tell."""
        try:
            if not self._path.exists():
                return Counter()
            with _locked(self._path) as file:
                counts = _read(file)
                if counts:
                    _write(file, b"")
        except OSError as error:
            logger.warning("what was blocked in jobs cannot be read", extra={"error": str(error)})
            return Counter()
        return counts


@contextmanager
def _locked(path: Path) -> Generator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _read(file: int) -> Counter[Labels]:
    try:
        rows = cast("list[tuple[str, str, str, int]]", orjson.loads(os.pread(file, os.fstat(file).st_size, 0)))
    except orjson.JSONDecodeError:
        # Empty, or half written by a process that was killed.
        return Counter()
    return Counter({(deployment, side, category): count for deployment, side, category, count in rows})


def _write(file: int, content: bytes) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, content, 0)
