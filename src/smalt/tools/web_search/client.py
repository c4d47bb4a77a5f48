"""Asks search services over HTTP: bounded time and size, no redirects, and no key in what is said of a failure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import orjson

from smalt.core.errors import UpstreamFailed
from smalt.tools.protocols import Json

if TYPE_CHECKING:
    import aiohttp

LONGEST_ANSWER_BYTES = 8 * 2**20
CONNECT_SECONDS = 5.0
SUCCESS = range(200, 300)
REDIRECT = range(300, 400)


class SearchFailed(UpstreamFailed):
    """The search service could not be asked, or its answer not be read."""

    default_code = "web_search_failed"


@dataclass(frozen=True, slots=True)
class Question:
    """One HTTP request to a search service; a body makes it a POST."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: Json | None = None


class WebClient:
    """Connections to search services, opened when one is first asked; shared by all requests."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, question: Question, seconds: float) -> Json:
        """The JSON object that answers; `SearchFailed` when there is none in time."""
        import aiohttp

        try:
            async with self._opened().request(
                "GET" if question.body is None else "POST",
                question.url,
                params=question.parameters,
                headers={"Accept": "application/json", **question.headers},
                json=question.body,
                # A redirect would carry the key to a host that nobody named.
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS),
            ) as response:
                return _object(response.status, await _read(response))
        except TimeoutError:
            raise SearchFailed(f"the search service did not answer within {seconds:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SearchFailed(f"the search service cannot be reached ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session


async def _read(response: "aiohttp.ClientResponse") -> bytes:
    received = bytearray()
    async for piece in response.content.iter_chunked(2**16):
        received += piece
        if len(received) > LONGEST_ANSWER_BYTES:
            raise SearchFailed(f"the search service answered with more than {LONGEST_ANSWER_BYTES} bytes")
    return bytes(received)


def _object(status: int, answer: bytes) -> Json:
    if status not in SUCCESS:
        raise SearchFailed(f"the search service answered with status {status}{_advice(status)}")
    try:
        value: Any = orjson.loads(answer)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise SearchFailed("the search service answered with something that is not a JSON object")
    return cast("Json", value)


def _advice(status: int) -> str:
    """What an operator may do about a status."""
    if status in REDIRECT:
        return ", a redirect, which is not followed: correct web_search.url"
    return {
        401: ": check web_search.api_key",
        403: ": check web_search.api_key, or with SearXNG that its search.formats has json",
        422: ": check web_search.api_key",
        429: ": it has been asked too often",
    }.get(status, "")
