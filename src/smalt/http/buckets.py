"""Counts what keys use, in one small file that all API processes of a machine share."""

import fcntl
import hashlib
import mmap
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PERIOD_SECONDS = 60.0
SLOT = struct.Struct("<Qdd")
SLOTS = 4096
PROBES = 64
FARTHEST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Level:
    """How full one bucket is: the time until it is empty, and what it may take in a minute."""

    limit: int
    empty_in_seconds: float

    @property
    def used(self) -> int:
        """What counts as used at this moment."""
        return min(self.limit, round(self.empty_in_seconds * self.limit / PERIOD_SECONDS))

    @property
    def remaining(self) -> int:
        """What may be taken at once."""
        return self.limit - self.used

    def wait_seconds(self, amount: int) -> float:
        """The time until `amount` may be taken; nothing waits where there is no limit (0)."""
        if not self.limit:
            return 0.0
        return max(0.0, self.empty_in_seconds + amount * PERIOD_SECONDS / self.limit - PERIOD_SECONDS)


@dataclass(frozen=True, slots=True)
class Taken:
    """How full the buckets are after both amounts were taken, or as they are when there was no room."""

    requests: Level
    tokens: Level
    is_refused: bool = False


class Buckets:
    """Two buckets a key, requests and tokens, that leak evenly: a full one is empty after a minute.

    A slot holds the two moments at which the buckets will be empty, so nothing has to be refilled, a changed limit
    takes effect at once, and a slot whose moments have passed is free. The file lock is the kernel's: it is let go when
    a process dies.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = SLOT.size * SLOTS
        if os.fstat(self._file).st_size < size:
            os.ftruncate(self._file, size)
        self._slots = mmap.mmap(self._file, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what it holds stays for the other processes."""
        self._slots.close()
        os.close(self._file)

    def take(self, key: str, requests: tuple[int, int | None], tokens: tuple[int, int | None]) -> Taken:
        """Take amounts from both buckets, or from neither when one lacks room.

        Each argument is an amount and its limit a minute; without a limit nothing is counted.
        """
        now = time.time()
        number = _number(key)
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            offset = self._find(number, now)
            _, first, second = SLOT.unpack_from(self._slots, offset)
            levels = _level(first, requests[1], now), _level(second, tokens[1], now)
            if levels[0].wait_seconds(requests[0]) or levels[1].wait_seconds(tokens[0]):
                return Taken(*levels, is_refused=True)
            moments = _later(levels[0], requests, now), _later(levels[1], tokens, now)
            SLOT.pack_into(self._slots, offset, number, *moments)
            return Taken(_level(moments[0], requests[1], now), _level(moments[1], tokens[1], now))
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def adjust_tokens(self, key: str, amount: int, limit: int) -> None:
        """Add to (or give back) tokens that were taken by estimate; never refuses."""
        now = time.time()
        number = _number(key)
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            offset = self._find(number, now)
            _, first, second = SLOT.unpack_from(self._slots, offset)
            moment = min(max(second, now) + amount * PERIOD_SECONDS / limit, now + FARTHEST_SECONDS)
            SLOT.pack_into(self._slots, offset, number, first, moment)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _find(self, number: int, now: float) -> int:
        """The slot of a key, or a free one; when all near ones are taken, the one that is free soonest."""
        best, soonest = 0, float("inf")
        for probe in range(PROBES):
            offset = (number + probe) % SLOTS * SLOT.size
            owner, first, second = SLOT.unpack_from(self._slots, offset)
            if owner == number:
                return offset
            if max(first, second) < soonest:
                best, soonest = offset, max(first, second)
            if owner == 0:
                break
        SLOT.pack_into(self._slots, best, number, now, now)
        return best


def _number(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) or 1


def _level(moment: float, limit: int | None, now: float) -> Level:
    return Level(limit, min(max(moment - now, 0.0), FARTHEST_SECONDS)) if limit else NO_LIMIT


def _later(level: Level, amount: tuple[int, int | None], now: float) -> float:
    taken, limit = amount
    return now + level.empty_in_seconds + taken * PERIOD_SECONDS / limit if limit else now


NO_LIMIT = Level(0, 0.0)
