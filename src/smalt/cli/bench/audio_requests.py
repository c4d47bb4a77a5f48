"""Times single requests whose answers are not chat's: from the first byte sent to the last byte received."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from smalt.cli.bench.servers import Server
from smalt.cli.server_client import ServerClient, pieces


@dataclass(frozen=True)
class Request:
    """A body with its content type, for an operation of the v1 mount."""

    path: str
    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True)
class Timed:
    """An answer, the seconds to its first bytes and to its end."""

    content: bytes
    first_seconds: float
    seconds: float

    @property
    def json(self) -> Any:
        """The answer's content, read as JSON."""
        return json.loads(self.content)


def timed(server: Server, request: Request) -> Timed:
    """Send one request and read its answer to the end."""
    client = ServerClient(f"{server.address}/openai/v1", server.key)
    started_at = perf_counter()
    with client.post(request.path, request.body, request.content_type) as answer:
        came = list(_with_times(pieces(answer)))
    ended_at = perf_counter()
    first_at = came[0][0] if came else ended_at
    return Timed(b"".join(piece for _, piece in came), first_at - started_at, ended_at - started_at)


def timed_together(server: Server, request: Request, number: int) -> float:
    """The seconds that the same request takes, sent `number` times at once."""
    started_at = perf_counter()
    with ThreadPoolExecutor(number) as pool:
        for sent in [pool.submit(timed, server, request) for _ in range(number)]:
            sent.result()
    return perf_counter() - started_at


def _with_times(came: Iterator[bytes]) -> Iterator[tuple[float, bytes]]:
    for piece in came:
        yield perf_counter(), piece
