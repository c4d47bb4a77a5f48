"""What goes to a service and what comes back, whoever carries it: the runner over the net, the facade in process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Query = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class FileValue:
    """A file that a parameter is given."""

    name: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCall:
    """One HTTP request, without its host and its credentials; `path` is relative to the API root.

    A list in `query` is a parameter that comes several times. `body` is what is sent as JSON; a form has `fields` and
    `files` instead.
    """

    method: str
    path: str
    query: Query = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    fields: Sequence[tuple[str, str]] = ()
    files: Sequence[tuple[str, FileValue]] = ()
    is_form: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Carrier(Protocol):
    """Brings a call to a service."""

    async def send(self, call: OutgoingCall, *, idempotency_key: str | None = None) -> Answer:
        """Send it; returns the answer whatever its status, raises `ApiError` when there is none."""
        ...
