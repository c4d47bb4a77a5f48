"""Decides whether a call is made again, and when."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from smalt.connectors.exchange import Answer

TOO_MANY: Final = 429
FIRST_SERVER_ERROR: Final = 500
NOT_IMPLEMENTED: Final = 501
CONFLICT: Final = 409
SPREAD: Final = 0.1
NO_QUOTA: Final = b"insufficient_quota"
STILL_WORKING: Final = b"idempotency_key_in_use"
"""What a Smalt says that has not finished the first call with the same key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a call is made again, and how long one waits for that.

    Without word from the service the wait is random, up to a bound that doubles each time. A service that asks for
    more than `longest_asked_seconds` is not waited for: its answer is the result.
    """

    attempts: int = 8
    first_seconds: float = 1.0
    longest_seconds: float = 60.0
    longest_asked_seconds: float = 300.0
    timeout_seconds: float = 600.0
    """Longest silence of a service before the connection counts as broken."""

    def pause(self, attempt: int, headers: Mapping[str, str]) -> float | None:
        """Seconds before the attempt behind this one, the first being 0; None when there is to be none."""
        if attempt + 1 >= self.attempts:
            return None
        asked = asked_pause(headers)
        if asked is None:
            return random.uniform(0, min(self.longest_seconds, self.first_seconds * 2**attempt))  # noqa: S311 - no secret
        if asked > self.longest_asked_seconds:
            return None
        # Never earlier than asked, and not all at the same instant.
        return asked + random.uniform(0, max(self.first_seconds, asked) * SPREAD)  # noqa: S311 - no secret


def is_worth_another(answer: Answer) -> bool:
    """Whether the same call may get a better answer later."""
    if answer.status == TOO_MANY:
        return NO_QUOTA not in answer.content  # nothing but a payment ends that
    if answer.status == CONFLICT:
        return STILL_WORKING in answer.content
    return answer.status >= FIRST_SERVER_ERROR and answer.status != NOT_IMPLEMENTED


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """The seconds that a service asks for: in milliseconds, in seconds or as a date; None without a word."""
    milliseconds, told = _seconds(headers.get("retry-after-ms")), headers.get("retry-after")
    if milliseconds is not None:
        return milliseconds / 1000
    seconds = _seconds(told)
    return _until(told, headers.get("date")) if seconds is None and told else seconds


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(told: str, date: str | None) -> float | None:
    """The seconds until a moment, by the service's own clock where it tells the time."""
    moment, now = _moment(told), _moment(date or "") or datetime.now(UTC)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
