"""What CONTRIBUTING.md shows works as it is written there."""

import re
import sys
from pathlib import Path

import httpx2
import pytest

from smalt.api.dependencies import ModelsDep
from smalt.app import create_app
from smalt.core.settings import load_settings
from smalt.http.routing import Router, include

GUIDE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
METADATA = "Metadata-Version: 2.1\nName: shout\nVersion: 1\n"


def block(name: str) -> str:
    """The code block behind a marker in the guide."""
    found = re.search(rf"<!-- {name}:.*?-->\n```python\n(.*?)```", GUIDE, re.DOTALL)
    assert found
    return found[1]


def entry_points() -> str:
    found = re.search(r'\[project\.entry-points\."smalt\.engines"\]\n(.*?)\n```', GUIDE, re.DOTALL)
    assert found
    name, target = found[1].split(" = ")
    return f"[smalt.engines]\n{name} = {target.strip(chr(34))}\n"


@pytest.fixture
def shout_package(tmp_path, monkeypatch):
    (tmp_path / "shout.py").write_text(block("engine"))
    info = tmp_path / "shout-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(entry_points())
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("shout", None)


def serving(tmp_path, **deployments):
    return create_app(load_settings(data_dir=tmp_path, starter=False, auth={"enabled": False}, deployments=deployments))


async def ask(app, method, path, **arguments):
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        return await client.request(method, path, **arguments)


async def test_an_endpoint_is_added_in_one_place(tmp_path):
    app = serving(tmp_path, parrot={"engine": "echo"})
    router = Router()
    exec(block("endpoint"), {"router": router, "ModelsDep": ModelsDep})
    include(app, router)
    for prefix, query in (("/v1", ""), ("/openai/v1", ""), ("/openai", "?api-version=2024-10-21")):
        answer = await ask(app, "GET", f"{prefix}/abilities{query}")
        assert "chat_completion" in answer.json()["parrot"]


async def test_an_engine_is_added_by_one_file_and_one_entry_point(tmp_path, shout_package):
    app = serving(tmp_path, loud={"engine": "shout", "abilities": ["chat_completion"]})
    body = {"model": "loud", "messages": [{"role": "user", "content": "good morning"}]}
    answer = await ask(app, "POST", "/v1/chat/completions", json=body)
    assert answer.json()["choices"][0]["message"]["content"] == "GOOD MORNING "
