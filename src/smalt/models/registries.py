"""Finds where a package's file is, through the registry that pip or npm is set up with on this machine."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import orjson

from smalt.core.errors import NotInstalled
from smalt.models.download import Fetcher, NotThere, Page, Unreachable, shown
from smalt.models.pack import Part

SIMPLE = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
SECTIONS = ("global", "install", "download", ":env:")
"""Where pip's settings come from, the strongest last."""


@dataclass(frozen=True)
class Location:
    """Where a package's file is, and what its registry says of it: `sha256` in hex, if anything."""

    url: str
    sha256: str | None = None

    @property
    def path(self) -> Path | None:
        """The file itself when it is on this machine's disk."""
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None


@dataclass(frozen=True)
class PythonIndexes:
    """The indexes and folders of links that pip looks at, in its order."""

    urls: tuple[str, ...]
    links: tuple[str, ...] = ()
    cafile: str | None = None

    def find(self, package: str, archive: str, fetcher: Fetcher) -> Location:
        """Where the file `archive` of a package is; raises `NotThere` or `Unreachable`."""
        for link in self.links:
            if (path := _folder(link) / archive).is_file():
                return Location(path.absolute().as_uri())
        failures: list[Unreachable] = []
        for url in self.urls:
            try:
                if location := _find_in_index(url, package, archive, fetcher):
                    return location
            except Unreachable as error:
                failures.append(error)
        if failures:
            raise failures[0]
        asked = ", ".join(shown(url) for url in self.urls) or "none"
        raise NotThere(f"No package index that pip knows here has {archive} (asked: {asked}).")


class Registries:
    """Finds packages' files; asks pip and npm how they are set up once, when it first matters."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        fetcher: Fetcher | None = None,
        indexes: PythonIndexes | None = None,
    ) -> None:
        self._environ = environ
        self._fetcher = fetcher or Fetcher()
        self._given_indexes = indexes

    @cached_property
    def _indexes(self) -> PythonIndexes:
        return self._given_indexes or python_indexes(self._environ)

    @cached_property
    def fetcher(self) -> Fetcher:
        """Fetches with the certificates that pip trusts, if it names any."""
        return replace(self._fetcher, cafile=self._indexes.cafile) if self._indexes.cafile else self._fetcher

    def find(self, part: Part) -> Location:
        """Where the archive of a part is; raises `NotThere` or `Unreachable`."""
        if part.registry == "npm":
            return npm_tarball(part.package, part.version, self.fetcher, self._environ)
        return self._indexes.find(part.package, part.archive, self.fetcher)


def python_indexes(environ: Mapping[str, str] = os.environ, python: str = sys.executable) -> PythonIndexes:
    """The indexes that pip is set up with: its files, its environment, or else its own default."""
    pip, listing = _pip(python, environ)
    found = _pip_settings(listing) if pip else _uv_settings(environ)
    url = found.get("index-url") or (_default_index(pip, environ) if pip else None)
    if url is None:
        raise NotInstalled(
            "Smalt asks pip where packages come from, and this Python has no pip. "
            "Add it with: python -m ensurepip (or set PIP_INDEX_URL to a package index)"
        )
    urls = () if found.get("no-index", "0").lower() in {"1", "true", "yes", "on"} else (url,)
    extra = tuple(found.get("extra-index-url", "").split()) if urls else ()
    return PythonIndexes(urls + extra, tuple(found.get("find-links", "").split()), found.get("cert"))


def npm_tarball(package: str, version: str, fetcher: Fetcher, environ: Mapping[str, str] = os.environ) -> Location:
    """Where npm's registry keeps a version of a package."""
    registry = _npm_registry(environ)
    page = fetcher.read(f"{registry.rstrip('/')}/{quote(package, safe='@')}/{version}", accept="application/json")
    try:
        return Location(str(orjson.loads(page.text)["dist"]["tarball"]))
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise NotThere(f"{shown(page.url)} does not describe {package} {version} as an npm registry does.") from error


def _pip(python: str, environ: Mapping[str, str]) -> tuple[list[str] | None, str]:
    """How to run pip, of this Python or else the one on the path, and its settings; None without one."""
    others = [shutil.which(name, path=environ.get("PATH")) for name in ("pip", "pip3")]
    for pip in ([python, "-m", "pip"], *([other] for other in others if other)):
        listing = _said([*pip, "config", "list"], environ)
        if listing is not None:
            return pip, listing
    return None, ""


def _pip_settings(listing: str) -> dict[str, str]:
    """What `pip config list` says of fetching, the strongest section last."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listing.splitlines():
        key, equals, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if equals and section in found:
            found[section][name] = str(ast.literal_eval(value))
    return {name: value for section in SECTIONS for name, value in found[section].items()}


def _uv_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """What the environment alone says, for an installation without pip."""
    names = {
        "index-url": ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"),
        "extra-index-url": ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"),
        "find-links": ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
        "cert": ("PIP_CERT",),
        "no-index": ("PIP_NO_INDEX", "UV_NO_INDEX"),
    }
    return {key: environ[name] for key, choices in names.items() for name in reversed(choices) if environ.get(name)}


def _default_index(pip: list[str], environ: Mapping[str, str]) -> str | None:
    """The index that pip names as its own in the help of `--index-url`."""
    text = " ".join((_said([*pip, "download", "--help"], {**environ, "COLUMNS": "2000"}) or "").split())
    named = re.search(r"--index-url <url>.*?\(default (\S+?)\)", text)
    return named[1] if named else None


def _said(command: list[str], environ: Mapping[str, str]) -> str | None:
    """What a command printed; None when it cannot be run or fails."""
    try:
        done = subprocess.run(  # noqa: S603 - pip and npm themselves, with words of our own
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _npm_registry(environ: Mapping[str, str]) -> str:
    if url := environ.get("NPM_CONFIG_REGISTRY") or environ.get("npm_config_registry"):
        return url
    if npm := shutil.which("npm", path=environ.get("PATH")):
        url = (_said([npm, "config", "get", "registry"], environ) or "").strip()
        if url.startswith(("http:", "https:")):
            return url
    settings = Path(environ.get("HOME", "~")).expanduser() / ".npmrc"
    text = settings.read_text("utf-8") if settings.is_file() else ""
    if named := re.search(r"^\s*registry\s*=\s*(\S+)", text, re.MULTILINE):
        return named[1]
    raise NotInstalled(
        "This pack comes from the npm registry, and npm is not installed here. "
        "Install npm, or set NPM_CONFIG_REGISTRY to the address of an npm registry."
    )


def _find_in_index(index: str, package: str, archive: str, fetcher: Fetcher) -> Location | None:
    name = re.sub(r"[-_.]+", "-", package).lower()
    address = f"{index.rstrip('/')}/{name}/"
    page = _read_folder(address) if address.startswith("file:") else _read_page(address, fetcher)
    if page is None:
        return None
    for filename, href, sha256 in _files(page):
        if filename == archive:
            return Location(_with_login_of(index, urljoin(page.url, href)), sha256)
    return None


def _read_page(address: str, fetcher: Fetcher) -> Page | None:
    try:
        return fetcher.read(address, accept=SIMPLE)
    except NotThere:
        return None


def _read_folder(address: str) -> Page | None:
    path = _folder(address) / "index.html"
    return Page(path.read_text("utf-8"), "text/html", address) if path.is_file() else None


def _folder(link: str) -> Path:
    return Path(unquote(urlsplit(link).path)) if link.startswith("file:") else Path(link).expanduser()


def _files(page: Page) -> list[tuple[str, str, str | None]]:
    """Name, address and digest of every file that an index page lists, in either of its two formats."""
    if page.media_type.endswith("json"):
        listed = orjson.loads(page.text)["files"]
        return [(file["filename"], file["url"], file.get("hashes", {}).get("sha256")) for file in listed]
    anchors = _Anchors()
    anchors.feed(page.text)
    return [_described(href) for href in anchors.hrefs]


def _described(href: str) -> tuple[str, str, str | None]:
    address, _, digest = href.partition("#")
    return unquote(urlsplit(address).path.rpartition("/")[2]), address, digest.removeprefix("sha256=") or None


def _with_login_of(index: str, url: str) -> str:
    """A file's URL with the login of its index, if both are on one host."""
    login, at, host = urlsplit(index).netloc.rpartition("@")
    parts = urlsplit(url)
    return parts._replace(netloc=f"{login}@{host}").geturl() if at and parts.netloc == host else url


class _Anchors(HTMLParser):
    """Collects the addresses that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address of an anchor."""
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)
