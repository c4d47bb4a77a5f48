"""Tries again what fails for a passing reason, so often and no more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from smalt.core.errors import ApiError, EngineFailed, RateLimited, TimedOut, Unavailable, UpstreamFailed

T = TypeVar("T")
logger = logging.getLogger(__name__)

PASSING = (Unavailable, RateLimited, UpstreamFailed, EngineFailed, TimedOut)
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0


async def patiently(work: Callable[[], Awaitable[T]], *, first_pause_seconds: float = FIRST_PAUSE_SECONDS) -> T:
    """Do `work`; a failure that passes makes it wait as long as it is told, or longer each time, and try again."""
    pause = first_pause_seconds
    for attempt in range(1, ATTEMPTS):
        try:
            return await work()
        except PASSING as error:
            seconds = min(LONGEST_PAUSE_SECONDS, max(pause, _asked_seconds(error)))
            logger.info("ingestion waits", extra={"attempt": attempt, "seconds": seconds, "reason": error.message})
        await asyncio.sleep(seconds)
        pause *= 2
    return await work()


def _asked_seconds(error: ApiError) -> float:
    told = error.headers.get("Retry-After", "")
    return float(told) if told.isdigit() else 0.0
