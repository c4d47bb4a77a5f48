"""Keeps a worker that fails again and again from being started in a tight loop."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from smalt.core.errors import ApiError, Unavailable
from smalt.engines.failures import describe, revive


@dataclass
class Failures:
    """What went wrong lately with the workers of one key."""

    count: int
    next_try_at: float
    last: ApiError
    had_started: bool
    """Whether the last worker had served before it failed."""


class Backoff:
    """Remembers failures by key; a key rests after each, twice as long as before."""

    def __init__(self, first_seconds: float, most_seconds: float, clock: Callable[[], float]) -> None:
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._clock = clock
        self._failures: dict[str, Failures] = {}

    def blame(self, key: str, error: ApiError, *, had_started: bool) -> None:
        """Count a failure. A worker that had served may be started again at once, the first time."""
        count = self._failures[key].count + 1 if key in self._failures else 1
        rests = count - 1 if had_started else count
        seconds = min(self._most_seconds, self._first_seconds * 2 ** min(rests - 1, 30)) if rests else 0.0
        self._failures[key] = Failures(count, self._clock() + seconds, error, had_started)

    def forgive(self, key: str) -> None:
        """A worker has run long enough: its past is forgotten."""
        self._failures.pop(key, None)

    def count(self, key: str) -> int:
        """Failures since the key was last well."""
        return self._failures[key].count if key in self._failures else 0

    def check(self, key: str) -> None:
        """While the key rests, raise the last failure, or that there is no worker now when it had served before."""
        failures = self._failures.get(key)
        if failures is None or (seconds := failures.next_try_at - self._clock()) <= 0:
            return
        rest = f"The worker has failed {failures.count} times; it may be started again in {seconds:.1f} seconds."
        if failures.had_started:
            raise Unavailable(f"{failures.last.message}\n{rest}", retry_after=ceil(seconds))
        error = describe(failures.last)
        error["message"] += f"\n{rest}"
        raise revive(error)
