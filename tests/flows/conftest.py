"""A real server for stories: `smalt serve` with the starter models, as a user would start it."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

from ports import free_port
from serving import Served, serving_echoes
from smalt.core.settings import load_settings
from smalt.engines.registry import engine_class
from smalt.models.catalog import Catalog
from smalt.models.progress import Silent

SMALT = (sys.executable, "-c", "from smalt.cli import main; main()")


@dataclass(frozen=True)
class RunningServer:
    """Where the server is, a key that it accepts, and its process."""

    url: str
    key: str
    pid: int


@pytest.fixture(scope="session")
def starter_server(starter_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving_the_starter(starter_data_dir, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def cramped_server(starter_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The starter models on a machine that has room for the chat model, or for the embedding model."""
    room = worker_bytes(starter_data_dir, "smollm2-135m-instruct")
    settings = f"[engines]\nmemory_bytes = {room + 2**20}\n"
    with serving_the_starter(starter_data_dir, tmp_path_factory.mktemp("cramped"), settings) as server:
        yield server


PARROTS = """
[content_filter.policies.answers.prompts]
hate = "annotate"
sexual = "annotate"
violence = "annotate"
self_harm = "annotate"
jailbreak = "annotate"

[deployments.parrot]
engine = "echo"
content_filter = "answers"

[deployments.small]
engine = "llama_cpp"
content_filter = "answers"
weights = { model = "pack:chat" }
"""


@pytest.fixture(scope="session")
def parrot_server(starter_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The starter models, and a parrot and a chat model whose answers are filtered, and not their prompts."""
    with serving_the_starter(starter_data_dir, tmp_path_factory.mktemp("parrot"), PARROTS) as server:
        yield server


def worker_bytes(data_dir: Path, name: str) -> int:
    """What a deployment's worker says that it will need."""
    settings = load_settings(data_dir=data_dir, offline=True)
    deployment = Catalog(settings).find(name).fetched(settings, Silent())
    spec = engine_class(deployment.engine).worker(deployment)
    assert spec
    return spec.memory_bytes


@contextmanager
def serving_the_starter(starter_data_dir: Path, folder: Path, settings: str = "") -> Iterator[RunningServer]:
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "models").symlink_to(starter_data_dir / "models")
    (folder / "smalt.toml").write_text(settings)
    log = folder / "log.txt"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMALT_")}
    environment |= {"SMALT_CONFIG": str(folder / "smalt.toml"), "SMALT_DATA_DIR": str(folder / "data")}
    made = subprocess.run(
        [*SMALT, "keys", "create", "story", "--json"], env=environment, check=True, capture_output=True
    )
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [*SMALT, "serve", "--port", str(port)], env=environment, stdout=output, stderr=output
        )
    server = RunningServer(f"http://127.0.0.1:{port}", json.loads(made.stdout)["key"], process.pid)
    try:
        wait_until_it_answers(server, process, log)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_it_answers(server: RunningServer, process: subprocess.Popen[bytes], log: Path) -> None:
    request = urllib.request.Request(f"{server.url}/openai/v1/models", headers={"api-key": server.key})
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(request) as answer:
                answer.read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(log.read_text())


@pytest.fixture(scope="session")
def echo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app on a loopback port, with echoes for models: for stories that need no real answers."""
    with serving_echoes(tmp_path_factory.mktemp("echoes")) as served:
        yield served


@pytest.fixture(scope="session", params=["openai_v1", "azure_v1", "azure_classic"])
def client(echo_server: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    """The SDK against each of the three mounts."""
    url, key = echo_server.url, echo_server.key
    if request.param == "azure_classic":
        made = openai.AzureOpenAI(azure_endpoint=url, api_version="2024-10-21", api_key=key, max_retries=0)
    else:
        path = "/v1" if request.param == "openai_v1" else "/openai/v1"
        made = openai.OpenAI(base_url=url + path, api_key=key, max_retries=0)
    with made:
        yield made
