"""Weights from the Hugging Face hub: the hub's own client against a server that answers as the hub does."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from loopback import web_service
from smalt.core.settings import Settings
from smalt.models.sources import parse_source

OLD, NEW = "a" * 40, "b" * 40

# The hub's client reads its endpoint when it is imported, so it runs in a process of its own.
FETCH = """
import json, sys
from pathlib import Path
from smalt.core.errors import NotInstalled
from smalt.core.settings import Settings
from smalt.models.progress import Silent
from smalt.models.sources import parse_source
for asked in sys.argv[2:]:
    name = asked.removeprefix("offline ")
    settings = Settings(data_dir=Path(sys.argv[1]), offline=name != asked)
    try:
        told = str(parse_source(name, "model").fetch(settings, Silent()))
    except NotInstalled as error:
        told = error.message
    print(json.dumps(told), flush=True)
"""


@dataclass
class Hub:
    """A repository `o/whisper` with a tag and a branch; the other fields are its faults and its diary."""

    files: dict[str, bytes]
    revisions: dict[str, str] = field(default_factory=lambda: {"main": NEW, "v1": OLD, OLD: OLD, NEW: NEW})
    endpoint: str = ""
    cut_after: int | None = None
    """Bytes after which the next large download breaks off."""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list[tuple[str, str, str | None]])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path, request.headers.get("Range")))
        owner, name, _, revision, file = request.path.strip("/").split("/", 4)
        if (owner, name) != ("o", "whisper"):
            return _missing("RepoNotFound")
        if revision not in self.revisions:
            return _missing("RevisionNotFound")
        if file not in self.files:
            return _missing("EntryNotFound")
        content = self.files[file]
        digest = hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{digest}"', "X-Repo-Commit": self.revisions[revision], "Accept-Ranges": "bytes"}
        start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        headers["Content-Length"] = str(len(content) - start)
        answer = web.StreamResponse(status=206 if start else 200, headers=headers)
        await answer.prepare(request)
        if request.method == "GET":
            most = len(content) if self.cut_after is None else self.cut_after
            await answer.write(content[start:most])
            if most < len(content):
                self.cut_after = None
                assert request.transport
                request.transport.close()
        return answer


def _missing(code: str) -> web.Response:
    return web.Response(status=404, headers={"X-Error-Code": code})


@pytest.fixture
def hub() -> Iterator[Hub]:
    # The client writes ten million bytes at a time.
    hub = Hub({"model.bin": os.urandom(24 * 10**6), "config.json": b"{}"})
    with web_service(hub.answer) as hub.endpoint:
        yield hub


def test_a_model_comes_from_the_hub_once_and_is_there_without_it(hub: Hub, tmp_path: Path) -> None:
    hub.cut_after = 12 * 10**6
    pinned = f"hf:o/whisper/config.json@{OLD}"
    names = ["hf:o/whisper/model.bin@v1", "hf:o/whisper/config.json", pinned]
    mistakes = ["hf:o/none/model.bin", "hf:o/whisper/model.bin@v9", "hf:o/whisper/other.bin@v1"]
    told = _fetched(hub.endpoint, tmp_path, *names, *mistakes, pinned)

    assert Path(told[0]).read_bytes() == hub.files["model.bin"]
    assert [Path(one).parent.name for one in told[:3]] == [OLD, NEW, OLD], "a revision is a commit of its own"
    first, resumed = [span for method, path, span in hub.asked if method == "GET" and path.endswith("model.bin")]
    assert first is None
    assert resumed not in {None, "bytes=0-"}, "what had come before the connection broke is not fetched again"
    assert "no repository o/none" in told[3]
    assert "no revision v9" in told[4]
    assert "no file other.bin in its revision v1" in told[5]
    assert told[6] == told[2]
    asked = [method for method, path, _ in hub.asked if path == f"/o/whisper/resolve/{OLD}/config.json"]
    assert asked in (["HEAD", "GET"], ["HEAD"]), "what a commit holds does not change, so the hub is asked once"

    settings = Settings(data_dir=tmp_path)
    assert [str(parse_source(name, "model").expected(settings)) for name in names] == told[:3]
    assert parse_source(f"hf:o/whisper/model.bin@{NEW}", "model").expected(settings) is None

    offline = [f"offline {name}" for name in (*names, "hf:o/whisper/vocabulary.txt")]
    *there, missing = _fetched("http://127.0.0.1:9", tmp_path, *names, *offline)
    assert there == [*told[:3], *told[:3]]
    assert "SMALT_OFFLINE=false" in missing


def _fetched(endpoint: str, data_dir: Path, *arguments: str) -> list[Any]:
    """Where each file lies, or why it does not."""
    with _process(endpoint, data_dir, *arguments) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def _process(endpoint: str, data_dir: Path, *arguments: str) -> "subprocess.Popen[str]":
    environ = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", FETCH, str(data_dir), *arguments]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
