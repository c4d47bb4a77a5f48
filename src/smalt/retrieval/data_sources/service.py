"""Asks a service over HTTP: bounded time, bounded retries, no redirects, and its refusals without our secrets."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import orjson

from smalt.core.errors import ApiError
from smalt.retrieval.data_sources.failures import DataSourceFailed, DataSourceRefused, quoted
from smalt.retrieval.data_sources.protocols import PARAMETERS

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
LONGEST_ANSWER_BYTES = 32 * 2**20
TRIED_AGAIN = frozenset({429, 502, 503, 504})
SUCCESS = range(200, 300)
REDIRECT = range(300, 400)
CLIENT_FAULT = range(400, 500)
TOO_MANY = 429
Broken = (aiohttp.ClientError, TimeoutError, OSError)

Json = dict[str, Any]


class Unwilling(DataSourceRefused):
    """The service refused a request; `service_status` is its status."""

    def __init__(self, message: str, *, param: str, service_status: int) -> None:
        super().__init__(message, param=param)
        self.service_status = service_status


@dataclass(frozen=True)
class Service:
    """One service: how it is called in errors, which parameter names it, and what to send with every request."""

    session: aiohttp.ClientSession
    kind: str
    name: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    parameter: str = "endpoint"

    async def get(self, url: str) -> Json:
        """The JSON object at an address."""
        return await self._ask("GET", url, None)

    async def post(self, url: str, body: Json) -> Json:
        """The JSON object that answers a body."""
        return await self._ask("POST", url, orjson.dumps(body))

    async def _ask(self, method: str, url: str, body: bytes | None) -> Json:
        attempt = 1
        while True:
            answer, failure, pause = await self._try(method, url, body)
            if failure is None:
                return self._object(answer)
            wait = FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.0) if pause is None else pause  # noqa: S311
            if attempt == ATTEMPTS or wait > LONGEST_PAUSE_SECONDS:
                raise failure
            await asyncio.sleep(wait)
            attempt += 1

    async def _try(self, method: str, url: str, body: bytes | None) -> tuple[bytes, ApiError | None, float | None]:
        """One attempt: the answer; or the failure, and how long to wait before the next attempt if the service says."""
        try:
            async with self.session.request(
                method,
                url,
                data=body,
                headers={"Content-Type": "application/json", **self.headers},
                # A redirect would carry the key to a host that nobody named.
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS),
            ) as response:
                answer = await self._read(response)
                if response.status in SUCCESS:
                    return answer, None, None
                failure = self._refusal(response.status, answer)
                if response.status not in TRIED_AGAIN:
                    raise failure
                return b"", failure, _asked_pause(response.headers)
        except TimeoutError:
            raise self._failed(f"did not answer within {ANSWER_SECONDS:g} seconds") from None
        except Broken as error:
            return b"", self._failed(f"cannot be reached ({type(error).__name__})"), None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        received = bytearray()
        async for piece in response.content.iter_chunked(2**16):
            received += piece
            if len(received) > LONGEST_ANSWER_BYTES:
                raise self._failed(f"answered with more than {LONGEST_ANSWER_BYTES} bytes")
        return bytes(received)

    def _object(self, answer: bytes) -> Json:
        try:
            value = orjson.loads(answer)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise self._failed("answered with something that is not a JSON object")
        return cast("Json", value)

    def _refusal(self, status: int, answer: bytes) -> ApiError:
        said = quoted(_told(answer), self.secrets)
        reason = f"Server responded with status {status}." + (f" Error message: {said}" if said else "")
        if status in REDIRECT:
            return self._failed(f"answered with a redirect (status {status}), which is not followed")
        if status not in CLIENT_FAULT or status == TOO_MANY:
            return self._failed(f"failed: {reason}")
        return Unwilling(
            f"Invalid {self.kind} configuration detected: Call to {self.name} failed. Check the {self.parameter}, the "
            f"index name and the authentication.\n{self.name} Error: {status}, message='{reason}'",
            param=f"{PARAMETERS}.{self.parameter}",
            service_status=status,
        )

    def _failed(self, what: str) -> DataSourceFailed:
        return DataSourceFailed(
            f"{self.name} {what}. Check that it runs and that {PARAMETERS}.{self.parameter} names it.",
            param=f"{PARAMETERS}.{self.parameter}",
        )


def _told(answer: bytes) -> str:
    """The message in an error answer: the services write it under `error`, as text or as an object."""
    try:
        value = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return ""
    fault: Any = cast("Json", value).get("error", value) if isinstance(value, dict) else value
    if isinstance(fault, dict):
        found = cast("Json", fault)
        fault = found.get("message") or found.get("reason") or found
    return str(fault)


def _asked_pause(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
