"""Brings calls over the net: signed, throttled, made again where that is safe."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from smalt import __version__
from smalt.connectors.exchange import Answer, OutgoingCall
from smalt.connectors.forms import multipart
from smalt.connectors.masking import without_credentials
from smalt.connectors.refusals import Interrupted
from smalt.connectors.retrying import Retries, is_worth_another
from smalt.core.errors import InvalidRequest, UpstreamFailed
from smalt.core.ids import random_id

CONNECT_SECONDS: Final = 10.0
USER_AGENT: Final = f"smalt/{__version__}"
UNSENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
"""What ends an attempt before anything of the call went out."""
BROKEN: Final = (aiohttp.ClientError, TimeoutError, OSError)


class Target(Protocol):
    """Where calls go, and who makes them."""

    @property
    def base_url(self) -> str:
        """The API root that paths are put behind."""
        ...

    @property
    def is_smalt(self) -> bool:
        """Whether a Smalt answers there, which works on a call with an idempotency key once."""
        ...

    async def headers(self) -> Mapping[str, str]:
        """The credentials."""
        ...


class Throttled(Protocol):
    """Holds calls back."""

    async def turn(self) -> None:
        """Wait until one call may go out."""
        ...


class _Lost(Exception):
    """The connection broke after it was there."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request by itself, which it does with some errors of some methods.

    Its repetition would take no turn, and not ask whether it is safe.
    """
    try:
        return await handler(request)
    except UNSENT:
        raise
    except BROKEN as error:
        raise _Lost from error


class HttpCarrier:
    """Brings calls to one target over a session that the caller closes."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        target: Target,
        throttle: Throttled | None = None,
        policy: Retries | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._target = target
        self._throttle = throttle
        self._policy = policy or Retries()
        self._sleep = sleep
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=self._policy.timeout_seconds
        )

    async def send(self, call: OutgoingCall, *, idempotency_key: str | None = None) -> Answer:
        """The service's answer, whatever its status; raises `Interrupted` when a call that was sent has none."""
        body, headers = _written(call)
        if call.method == "POST" and self._target.is_smalt:
            headers["idempotency-key"] = idempotency_key or random_id("idem_")
        attempt = 0
        while True:
            outcome = await self._attempt(call, body, headers)
            if isinstance(outcome, Answer):
                pause = self._policy.pause(attempt, outcome.headers) if is_worth_another(outcome) else None
                if pause is None:
                    return outcome
            else:
                pause = None if isinstance(outcome, Interrupted) else self._policy.pause(attempt, {})
                if pause is None:
                    raise outcome
            await self._sleep(pause)
            attempt += 1

    async def _attempt(
        self, call: OutgoingCall, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer | UpstreamFailed | Interrupted:
        url = _url(self._target.base_url, call)
        # Credentials first: getting them may take a while, and a turn is to be used at once.
        credentials = await self._target.headers()
        signed = {**headers, **{name.lower(): value for name, value in credentials.items()}}
        if self._throttle is not None:
            await self._throttle.turn()
        try:
            # A redirect is not followed: it would carry the key to another host.
            async with self._session.request(
                call.method,
                url,
                data=body,
                headers=signed,
                allow_redirects=False,
                skip_auto_headers=("content-type",),
                timeout=self._timeout,
                middlewares=(_once,),
            ) as response:
                answered = {name.lower(): value for name, value in response.headers.items()}
                return without_credentials(Answer(response.status, answered, await response.read()), credentials)
        except (_Lost, *BROKEN) as error:
            return self._failure(call, error.__cause__ if isinstance(error, _Lost) else error)

    def _failure(self, call: OutgoingCall, error: BaseException | None) -> UpstreamFailed | Interrupted:
        place = URL(self._target.base_url).authority
        if isinstance(error, UNSENT):
            return UpstreamFailed(
                f"{place} cannot be reached ({error or type(error).__name__}). Check the connection's base URL and "
                "that the server there runs."
            )
        what = f"{place} broke off before its answer to {call.method} {call.path} was whole ({type(error).__name__})"
        if call.method == "GET" or (call.method == "POST" and self._target.is_smalt):
            return UpstreamFailed(f"{what}. Try again.")
        return Interrupted(
            f"{what}. The call was sent, so it may have been done, and paid. Look there before you make it again."
        )


def _written(call: OutgoingCall) -> tuple[bytes | None, dict[str, str]]:
    """The bytes of a call's body and its headers; the same for every attempt."""
    given = {name.lower(): value for name, value in call.headers.items()}
    headers = {"user-agent": USER_AGENT, "accept": "*/*", **given}
    if call.is_form:
        body, headers["content-type"] = multipart(call.fields, call.files)
        return body, headers
    if call.body is None:
        return None, headers
    headers.setdefault("content-type", "application/json")
    try:
        return orjson.dumps(call.body), headers
    except TypeError as error:
        raise InvalidRequest(f"The values cannot be written as JSON: {error}.") from None


def _url(base_url: str, call: OutgoingCall) -> URL:
    query = f"?{urlencode(call.query, doseq=True, quote_via=quote)}" if call.query else ""
    return URL(f"{base_url.rstrip('/')}/{call.path.lstrip('/')}{query}", encoded=True)
