"""Fetches a file that a request names by its address, and nothing that only this machine or its network may see."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from smalt.core.errors import InvalidRequest

MOST_BYTES = 50 * 2**20
MOST_REDIRECTS = 5
SECONDS = 30.0
PIECE = 2**16
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NAME = re.compile(r'filename="?([^";]+)')


class _Forbidden(OSError):
    """The host is not one that a request may name."""


class FileUrls:
    """Fetches files from the hosts that the operator lists; without a list, from public addresses only."""

    def __init__(
        self,
        hosts: Sequence[str] | None,
        *,
        most_bytes: int = MOST_BYTES,
        instead: str = "send the file as file_data or file_id",
    ) -> None:
        """`instead` is what a client may do when its file is not fetched."""
        self._most_bytes = most_bytes
        self._instead = instead
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    async def fetch(self, url: str, path: Path, *, param: str) -> str:
        """Write what is there to `path`; returns the file's name. Raises `InvalidRequest`, which says why not."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._fetch(url, path, param)
        except TimeoutError:
            raise self._failed(url, param, f"it takes longer than {SECONDS:g} seconds") from None
        except _Forbidden:
            raise self._refusal(url, param) from None
        except (aiohttp.ClientError, OSError) as error:
            # Some of aiohttp's errors hold the one that says what happened.
            if isinstance(error.__cause__, _Forbidden) or isinstance(getattr(error, "os_error", None), _Forbidden):
                raise self._refusal(url, param) from None
            raise self._failed(url, param, type(error).__name__) from error

    async def _fetch(self, url: str, path: Path, param: str) -> str:
        connector = aiohttp.TCPConnector(resolver=_PublicResolver() if self._hosts is None else None)
        async with aiohttp.ClientSession(connector=connector) as session:
            place = url
            for _ in range(MOST_REDIRECTS + 1):
                parts = self._checked(place, param)
                async with session.get(place, allow_redirects=False) as answer:
                    location = answer.headers.get("Location")
                    if answer.status in REDIRECTS and location:
                        place = urljoin(place, location)
                        continue
                    if answer.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
                        raise self._failed(url, param, f"its server answers {answer.status}")
                    await self._save(answer, path, param)
                    return _name(answer, parts)
        raise self._failed(url, param, f"it leads on more than {MOST_REDIRECTS} times")

    def _checked(self, url: str, param: str) -> SplitResult:
        """The parts of an address that may be asked."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = None, None, None
        if parts is None or not host or parts.scheme not in {"http", "https"}:
            raise InvalidRequest(
                f"Invalid '{param}': write an address such as https://HOST/FILE.", param=param, code="invalid_value"
            )
        if self._hosts is None:
            if _is_private(host):
                raise _Forbidden
        elif not {host.lower(), f"{host.lower()}:{port}"} & self._hosts:
            raise _Forbidden
        return parts

    async def _save(self, answer: aiohttp.ClientResponse, path: Path, param: str) -> None:
        got = 0
        with path.open("wb") as file:
            async for piece in answer.content.iter_chunked(PIECE):
                got += len(piece)
                if got > self._most_bytes:
                    raise InvalidRequest(
                        f"The file of '{param}' has more than {self._most_bytes} bytes, the most that is fetched. "
                        f"Make it smaller, or {self._instead}.",
                        param=param,
                    )
                await asyncio.to_thread(file.write, piece)

    def _refusal(self, url: str, param: str) -> InvalidRequest:
        why = "its host has no public address" if self._hosts is None else "its host is not among them"
        return InvalidRequest(
            f"This server does not fetch {_shown(url)} for '{param}': {why}. Its operator may list the host in "
            f"responses.file_hosts; or {self._instead}.",
            param=param,
            code="invalid_value",
        )

    def _failed(self, url: str, param: str, reason: str) -> InvalidRequest:
        return InvalidRequest(
            f"Error while downloading {_shown(url)} for '{param}': {reason}. Check the address, or {self._instead}.",
            param=param,
            code="invalid_value",
        )


class _PublicResolver(AbstractResolver):
    """Finds a host's addresses; one that has any other than public ones is not asked at all."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if any(_is_private(one["host"]) for one in found):
            raise _Forbidden
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    return not mapped.is_global or mapped.is_multicast


def _name(answer: aiohttp.ClientResponse, parts: SplitResult) -> str:
    named = NAME.search(answer.headers.get("Content-Disposition", ""))
    return named[1].strip() if named else PurePosixPath(unquote(parts.path)).name


def _shown(url: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]
