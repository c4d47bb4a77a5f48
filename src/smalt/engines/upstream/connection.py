"""Speaks HTTP with one upstream: reused connections, retries before the first byte, bounded waiting."""

import asyncio
import random
from collections.abc import AsyncGenerator
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from smalt import __version__
from smalt.core.errors import ApiError, UpstreamFailed
from smalt.engines.upstream.failures import failure
from smalt.engines.upstream.options import UpstreamOptions
from smalt.engines.upstream.server_sent_events import EventDecoder

TRIED_AGAIN: Final = frozenset({429, 502, 503, 504})
LONGEST_ERROR_BYTES: Final = 64 * 1024
FIRST_PAUSE_SECONDS: Final = 0.25
JSON: Final = "application/json"
LAST_BYTES_SECONDS: Final = 0.25
"""Longest wait, after `[DONE]`, for the end of the body that lets the connection be used again."""

Broken = (aiohttp.ClientError, TimeoutError, OSError)


class Connection:
    """The HTTP client of one upstream; its session is made on first use and kept until `close`."""

    def __init__(self, name: str, options: UpstreamOptions) -> None:
        self._name = name
        self._options = options
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        hidden = [options.api_key, *options.headers.values()]
        self._secrets = tuple(secret.get_secret_value() for secret in hidden if secret and secret.get_secret_value())

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in anything a client or a log sees."""
        return self._secrets

    async def json(self, path: str, body: bytes, *, content_type: str = JSON) -> dict[str, Any]:
        """Post `body` and read the whole answer, which must be a JSON object."""
        response = await self._post(path, body, content_type)
        try:
            received = await self._whole(response)
        finally:
            response.close()
        try:
            answer = orjson.loads(received)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise self._nonsense("something that is not a JSON object")
        return answer  # pyright: ignore[reportUnknownVariableType] - any JSON object

    async def events(
        self, path: str, body: bytes, *, content_type: str = JSON, or_whole: bool = False
    ) -> AsyncGenerator[bytes]:
        """Post `body` and give the data of each server-sent event, without the closing `[DONE]`.

        A stream that ends without `[DONE]` ends here too: what is missing then is for the reader to see. With
        `or_whole`, one JSON object is taken for the only event: some models do not stream, and do not say so.
        """
        response = await self._post(path, body, content_type)
        try:
            if response.content_type == JSON:
                if not or_whole:
                    raise self._nonsense("one JSON object, not with the stream it was asked for")
                yield await self._whole(response)
                return
            decoder = EventDecoder()
            while received := await self._received(response):
                for data in decoder.feed(received):
                    if data == b"[DONE]":
                        await self._finish(response)
                        return
                    yield data
            for data in decoder.close():
                if data != b"[DONE]":
                    yield data
        finally:
            # Has no effect on a body that was read to its end: its connection is already back in the pool.
            response.close()

    async def content(self, path: str, body: bytes) -> AsyncGenerator[bytes]:
        """Post `body` and give the bytes of a file as they come."""
        response = await self._post(path, body, JSON)
        try:
            if response.content_type == JSON or response.content_type.startswith("text/"):
                raise self._nonsense("text, not with the file it was asked for")
            while received := await self._received(response):
                yield received
        finally:
            response.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, path: str, body: bytes, content_type: str) -> aiohttp.ClientResponse:
        attempt = 0
        while True:
            try:
                response = await self._send(path, body, content_type)
            except Broken as error:
                refusal: ApiError = self._broken(error)
                again = not isinstance(error, aiohttp.SocketTimeoutError)
            else:
                if response.status == 200:  # noqa: PLR2004 - HTTP's own number
                    return response
                refusal = await self._refusal(response)
                again = response.status in TRIED_AGAIN
            pause = self._pause(attempt, refusal)
            if not again or pause is None:
                raise refusal from None
            await asyncio.sleep(pause)
            attempt += 1

    async def _send(self, path: str, body: bytes, content_type: str) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._new_session()
        url = self._urls.get(path) or self._urls.setdefault(path, URL(self._options.url(path)))
        # A redirect is refused, because following it would carry the key to another host.
        headers = {"Content-Type": content_type}
        return await self._session.post(
            url, data=body, headers=headers, allow_redirects=False, proxy=self._options.proxy
        )

    def _new_session(self) -> aiohttp.ClientSession:
        options = self._options
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"smalt/{__version__}", **options.request_headers()},
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=options.connect_timeout_seconds, sock_read=options.timeout_seconds
            ),
        )

    async def _refusal(self, response: aiohttp.ClientResponse) -> ApiError:
        try:
            body = await response.content.read(LONGEST_ERROR_BYTES)
        except Broken:
            body = b""
        response.close()
        return failure(response.status, response.headers, body, self._secrets)

    def _pause(self, attempt: int, refusal: ApiError) -> float | None:
        """Seconds to wait before the next attempt; None when there should be none."""
        if attempt >= self._options.retries:
            return None
        asked = _asked_pause(refusal)
        if asked is None:
            # Jitter keeps many waiting requests from coming back at the same instant.
            return min(self._options.retry_seconds, FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
        return asked if asked <= self._options.retry_seconds else None

    async def _whole(self, response: aiohttp.ClientResponse) -> bytes:
        try:
            return await response.read()
        except Broken as error:
            raise self._broken(error) from None

    async def _received(self, response: aiohttp.ClientResponse) -> bytes:
        try:
            return await response.content.readany()
        except Broken as error:
            raise self._broken(error) from None

    async def _finish(self, response: aiohttp.ClientResponse) -> None:
        try:
            async with asyncio.timeout(LAST_BYTES_SECONDS):
                while await response.content.readany():
                    pass
        except Broken:
            return

    def _broken(self, error: Exception) -> UpstreamFailed:
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            reason = "cannot be reached; check its base_url and that the server there runs"
        elif isinstance(error, aiohttp.SocketTimeoutError):
            reason = f"was silent for {self._options.timeout_seconds:g} seconds"
        else:
            reason = f"broke off its answer ({type(error).__name__})"
        return UpstreamFailed(f"The upstream of '{self._name}' {reason}.", code="upstream_failed")

    def _nonsense(self, what: str) -> UpstreamFailed:
        return UpstreamFailed(f"The upstream of '{self._name}' answered with {what}.", code="upstream_failed")


def _asked_pause(refusal: ApiError) -> float | None:
    for name, unit in (("retry-after-ms", 1000), ("Retry-After", 1)):
        try:
            return max(0.0, float(refusal.headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return None
