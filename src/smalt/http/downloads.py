"""Sends stored content as HTTP has it: whole, a range of it, or not at all when the client has it already."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from smalt.http.refusals import UnsatisfiableRange

RANGES = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*(,.*)?")
TAG = re.compile(r'(?:W/)?("[^"]*")')
UNQUOTABLE = re.compile(r'[^\x20-\x7e]|["\\%]')
MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Download:
    """Content that can be sent; `read` streams the bytes from its first number up to (not including) its second."""

    size: int
    digest: str
    filename: str
    read: Callable[[int, int], AsyncIterator[bytes]]

    @property
    def etag(self) -> str:
        """The strong tag of the content."""
        return f'"{self.digest}"'


async def sent(request: Request, download: Download) -> Response:
    """The answer to a GET; the first bytes are read before its status goes out."""
    headers = {"ETag": download.etag, "Accept-Ranges": "bytes"}
    if _has_it(request, download):
        return Response(status_code=304, headers=headers)
    bounds = _bounds(request, download)
    start, end = bounds or (0, download.size)
    headers |= {"Content-Length": str(end - start), "Content-Disposition": attachment(download.filename)}
    if bounds:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{download.size}"
    chunks = download.read(start, end)
    first = await anext(chunks, b"")
    status = 206 if bounds else 200
    return StreamingResponse(_all(first, chunks), status, headers, media_type="application/octet-stream")


def attachment(filename: str) -> str:
    """A Content-Disposition that names a file, plainly for old clients and exactly for the others (RFC 6266)."""
    plain = UNQUOTABLE.sub("_", filename)
    exact = "" if plain == filename else f"; filename*=UTF-8''{quote(filename, safe='')}"
    return f'attachment; filename="{plain}"{exact}'


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    try:
        yield first
        async for chunk in rest:
            yield chunk
    finally:
        if isinstance(rest, AsyncGenerator):
            await rest.aclose()


def _has_it(request: Request, download: Download) -> bool:
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or download.etag in TAG.findall(known)


def _bounds(request: Request, download: Download) -> tuple[int, int] | None:
    """The range asked for, None for everything; what is no range at all is ignored, as RFC 9110 says."""
    asked = RANGES.fullmatch(request.headers.get("range", "").strip())
    if asked is None or request.headers.get("if-range", download.etag) != download.etag:
        return None
    first, last, more = asked.groups()
    if not first and not last:
        return None
    if max(len(first), len(last)) > MOST_DIGITS or (first and last and int(last) < int(first)):
        return None
    if more is not None:
        raise UnsatisfiableRange(download.size, "Ask for one range at a time.")
    start, end = _resolved(first, last, download.size)
    if start >= end:
        raise UnsatisfiableRange(download.size, f"There are {download.size} bytes; ask for a range within them.")
    return start, end


def _resolved(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(size - int(last), 0), size
    return int(first), size if not last else min(int(last) + 1, size)
