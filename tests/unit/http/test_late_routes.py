import subprocess
import sys

import openai
import pytest
from fastapi.routing import APIRoute

from serving import serving
from smalt.app import create_app
from smalt.core.settings import Settings
from smalt.http.late_routes import LateRoutes, settle_all


def paths_of(app):
    return {route.path for route in app.router.routes if isinstance(route, APIRoute)}


def test_a_group_is_there_once_somebody_calls_it(tmp_path):
    with serving(Settings(data_dir=tmp_path, starter=False)) as served:
        assert "/files" not in paths_of(served.app)
        with openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as client:
            with pytest.raises(openai.APIStatusError) as caught:
                client.put("/files", cast_to=object)
            assert caught.value.status_code == 405
            assert "/files" in paths_of(served.app)
            assert client.files.list().data == []
            with pytest.raises(openai.NotFoundError, match="nobody"):
                client.vector_stores.retrieve("nobody")


def test_every_group_can_be_brought_at_once(tmp_path):
    app = create_app(Settings(data_dir=tmp_path, starter=False))
    settle_all(app)
    assert {"/files", "/uploads", "/vector_stores/{vector_store_id}/search"} <= paths_of(app)
    assert not any(isinstance(route, LateRoutes) for route in app.router.routes)


def test_a_server_is_ready_before_it_has_an_http_client(tmp_path):
    code = (
        "import sys\n"
        "from smalt.app import create_app\n"
        "from smalt.cli.banner import banner\n"
        "from smalt.core.settings import Settings\n"
        "settings = Settings(data_dir=sys.argv[1])\n"
        "create_app(settings), banner(settings, '', None)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"fastapi", "smalt.engines.llama_cpp.engine"} <= loaded
    assert not loaded & {"aiohttp", "alembic", "smalt.schemas.responses", "smalt.connectors"}
