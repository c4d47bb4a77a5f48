"""Every operation of the served document, fed with data that keeps its schemas and data that breaks them.

It runs schemathesis as its own program: its plug-in does not work with every pytest, and its program has more phases.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from smalt.cli.bench.servers import Server, smalt_server

HERE = Path(__file__).parent
SCHEMATHESIS = (sys.executable, "-m", "schemathesis.cli")
EXAMPLES = 10

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def echo_server() -> Iterator[Server]:
    # Made-up data sources, tools and files must not make the server call made-up hosts.
    sections = ("RETRIEVAL__DATA_SOURCE_HOSTS", "MCP__HOSTS", "RESPONSES__FILE_HOSTS")
    environment = {f"SMALT_{section}": "[]" for section in sections}
    with smalt_server({"echo": {"engine": "echo"}}, environment=environment) as server:
        # The document is made when it is first asked for, and schemathesis waits ten seconds.
        target = server.target("/openapi.json")
        urllib.request.urlopen(urllib.request.Request(target.url, headers=target.headers)).close()
        yield server


@pytest.fixture(scope="module")
def stored_id(echo_server: Server) -> str:
    """A stored chat completion, so that reading one can succeed."""
    target = echo_server.target("/chat/completions")
    body = {"model": "echo", "messages": [{"role": "user", "content": "Keep this."}], "store": True}
    headers = {**target.headers, "Content-Type": "application/json"}
    request = urllib.request.Request(target.url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["id"]


def schemathesis(server: Server, folder: Path, stored_id: str, *options: str) -> subprocess.CompletedProcess[str]:
    key = server.target("").headers["api-key"]
    command = [*SCHEMATHESIS, f"--config-file={HERE / 'schemathesis.toml'}", "run", f"--header=api-key:{key}"]
    command += ["--seed=1", f"--max-examples={EXAMPLES}", "--continue-on-failure", "--warnings=off", *options]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(HERE),
        "STORED_COMPLETION_ID": stored_id,
    }
    url = server.target("/openapi.json").url
    return subprocess.run([*command, url], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_operation_answers_as_the_document_says(echo_server: Server, stored_id: str, tmp_path: Path) -> None:
    done = schemathesis(echo_server, tmp_path, stored_id)
    assert done.returncode == 0, done.stdout + done.stderr
