"""Fetches files over HTTP, going on where an earlier try stopped."""

import http.client
import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from http.client import HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit, urlunsplit

from smalt import __version__
from smalt.core.errors import NotInstalled
from smalt.models.progress import Watch

CHUNK_BYTES = 1 << 18
GONE = frozenset({401, 403, 404, 410})
RANGE_NOT_SATISFIABLE = 416
PARTIAL_CONTENT = 206
BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


class Unreachable(NotInstalled):
    """A registry cannot be reached (501)."""

    default_code = "registry_unreachable"


class NotThere(NotInstalled):
    """A registry answers, but has no such thing, or wants a login (501)."""

    default_code = "not_in_registry"


@dataclass(frozen=True)
class Page:
    """What a registry answered: text, its media type, and the address after redirects."""

    text: str
    media_type: str
    url: str


@dataclass(frozen=True)
class Fetcher:
    """How to fetch: trusted certificates, patience, and tries without any progress before it gives up."""

    cafile: str | None = None
    timeout_seconds: float = 30.0
    tries: int = 5
    pause_seconds: float = 0.5

    def read(self, url: str, *, accept: str = "*/*") -> Page:
        """The text at a URL."""
        for left in reversed(range(self.tries)):
            try:
                with self._open(url, {"Accept": accept}) as answer:
                    text = answer.read().decode("utf-8", "replace")
                    return Page(text, answer.headers.get_content_type(), answer.url)
            except BROKEN as error:
                self._pause_or_raise(url, error, left)
        raise Unreachable(f"{shown(url)} could not be read.")

    def fetch(self, url: str, target: Path, watch: Watch) -> None:
        """Bring the file at `url` to `target`; what an earlier try left in `target`.part is not fetched again."""
        part = target.with_name(target.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        left = self.tries
        while True:
            before = _size(part)
            try:
                self._fetch_rest(url, part, watch)
                break
            except BROKEN as error:
                left = self.tries if _size(part) > before else left - 1
                self._pause_or_raise(url, error, left)
        part.replace(target)

    def _fetch_rest(self, url: str, part: Path, watch: Watch) -> None:
        have = _size(part)
        try:
            answer = self._open(url, {"Range": f"bytes={have}-"} if have else {})
        except urllib.error.HTTPError as error:
            if error.code != RANGE_NOT_SATISFIABLE:
                raise
            if _total(error.headers.get("Content-Range")) == have:
                return
            part.unlink()
            raise ConnectionError("the file on the server is not the one that was begun") from error
        with answer, part.open("ab") as out:
            if answer.status != PARTIAL_CONTENT:
                have = 0
                out.truncate(0)
            _copy(answer, out, watch, have)

    def _open(self, url: str, headers: dict[str, str]) -> HTTPResponse:
        bare, login = _without_login(url)
        if urlsplit(bare).scheme not in {"http", "https"}:
            raise NotThere(f"{bare} is not an http or https address.")
        agent = {"User-Agent": f"smalt/{__version__}"}
        request = urllib.request.Request(bare, headers={**agent, **headers})  # noqa: S310 - http and https only
        for name, value in login.items():
            request.add_unredirected_header(name, value)
        answer: HTTPResponse = _opener(self.cafile).open(request, timeout=self.timeout_seconds)
        return answer

    def _pause_or_raise(self, url: str, error: Exception, left: int) -> None:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            if error.code in GONE:
                raise NotThere(f"{shown(url)} answered {error.code} {error.reason}.") from error
        if left <= 0:
            reason = getattr(error, "reason", None) or error
            raise Unreachable(f"{shown(url)} cannot be reached ({reason}).") from error
        time.sleep(self.pause_seconds * (self.tries - left + 1))


@cache
def _opener(cafile: str | None) -> urllib.request.OpenerDirector:
    """Opens addresses through the proxies of the environment; made once, because certificates load slowly."""
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=cafile)))


def shown(url: str) -> str:
    """A URL without the login that may be in it, fit for messages."""
    return _without_login(url)[0]


def _copy(answer: HTTPResponse, out: BinaryIO, watch: Watch, have: int) -> None:
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length else None
    watch.begin(f"fetch {Path(out.name).name.removesuffix('.part')}", total)
    watch.reach(done := have)
    while piece := answer.read(CHUNK_BYTES):
        out.write(piece)
        done += len(piece)
        watch.reach(done)
    if total is not None and done < total:
        raise ConnectionError(f"the connection closed after {done} of {total} bytes")


def _without_login(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    if not at:
        return bare, {}
    return bare, {"Authorization": "Basic " + b64encode(unquote(login).encode()).decode()}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _total(content_range: str | None) -> int | None:
    """The whole size in `bytes */1234`."""
    _, _, total = (content_range or "").rpartition("/")
    return int(total) if total.isdigit() else None
