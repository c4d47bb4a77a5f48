"""A running worker with the real chat model, started once, and the engine over it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smalt.engines.llama_cpp import LlamaCppEngine
from smalt.engines.protocols import ChatDelta, CompletionDelta, Deployment, Usage, WorkerAddress
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

TEMPLATES = Path(__file__).parent / "templates"


@contextmanager
def running(deployment: Deployment, folder: Path) -> Iterator[tuple[WorkerAddress, subprocess.Popen[bytes]]]:
    """Start the deployment's worker as the engine host does."""
    spec = LlamaCppEngine.worker(deployment)
    socket_path = str(folder / "worker.sock")
    ready_fd, child_fd = os.pipe()
    command = [sys.executable, "-m", "smalt.engines.worker", "--socket", socket_path, "--ready-fd", str(child_fd)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(child_fd,)) as process:
        os.close(child_fd)
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"target": spec.target, "options": spec.options}).encode() + b"\n")
            process.stdin.flush()
            with os.fdopen(ready_fd) as ready:
                report = json.loads(ready.readline())
            assert "info" in report, report
            yield WorkerAddress(socket_path, report["info"]), process
        finally:
            process.kill()


def chat_weights(starter_data_dir: Path) -> Path:
    found = sorted(starter_data_dir.rglob("smollm2*.gguf"))
    assert found, f"no chat model below {starter_data_dir}"
    return found[0]


@pytest.fixture(scope="session")
def weights(request: pytest.FixtureRequest) -> Path:
    named = os.environ.get("SMALT_TEST_CHAT_GGUF")
    return Path(named) if named else chat_weights(request.getfixturevalue("starter_data_dir"))


def deployed(weights: Path, **options: Any) -> Deployment:
    return Deployment(
        name="small",
        engine="llama_cpp",
        model="SmolLM2-135M-Instruct",
        abilities=frozenset({"chat_completion", "completion"}),
        weights={"model": str(weights)},
        options={"prompt_cache_bytes": 0, **options},
    )


@pytest.fixture(scope="session")
def deployment(weights: Path) -> Deployment:
    return deployed(weights, context=2048)


@pytest.fixture(scope="session")
def worker(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerAddress]:
    with running(deployment, tmp_path_factory.mktemp("worker")) as (address, _):
        yield address


@pytest.fixture(scope="session")
def tool_worker(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerAddress]:
    """The same model with a template that has a place for tools and thoughts."""
    template = str(TEMPLATES / "tools_and_thoughts.jinja")
    with running(
        deployed(weights, context=1024, parallel=2, chat_template=template), tmp_path_factory.mktemp("worker")
    ) as (address, _):
        yield address


@pytest.fixture
async def engine(deployment: Deployment, worker: WorkerAddress) -> AsyncIterator[LlamaCppEngine]:
    opened = LlamaCppEngine.open(deployment, worker)
    yield opened
    await opened.close()


@pytest.fixture
async def tool_engine(deployment: Deployment, tool_worker: WorkerAddress) -> AsyncIterator[LlamaCppEngine]:
    opened = LlamaCppEngine.open(deployment, tool_worker)
    yield opened
    await opened.close()


class Answer:
    """The fold of a chat stream."""

    def __init__(self) -> None:
        self.content: dict[int, str] = {}
        self.thoughts: dict[int, str] = {}
        self.calls: dict[int, dict[int, dict[str, str]]] = {}
        self.logprobs: dict[int, list[Any]] = {}
        self.finish: dict[int, str] = {}
        self.usage: Usage | None = None
        self.deltas: list[ChatDelta] = []

    def add(self, delta: ChatDelta) -> None:
        assert delta.choice not in self.finish, "a delta after the end"
        self.deltas.append(delta)
        index = delta.choice
        self.content[index] = self.content.get(index, "") + (delta.content or "")
        self.thoughts[index] = self.thoughts.get(index, "") + (delta.reasoning_content or "")
        self.logprobs.setdefault(index, []).extend(delta.logprobs or ())
        for call in delta.tool_calls:
            known = self.calls.setdefault(index, {}).setdefault(call.index, {"arguments": ""})
            known["arguments"] += call.arguments
            if call.name:
                known.update(name=call.name, id=call.id or "")
        if delta.finish_reason:
            self.finish[index] = delta.finish_reason


def chat_body(**fields: Any) -> AzureCreateChatCompletionRequest:
    """A request with a short answer unless it says otherwise; a string stands for one user message."""
    said = fields.pop("messages", "Say hello.")
    messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
    return AzureCreateChatCompletionRequest.model_validate(
        {"model": "small", "messages": messages, "max_tokens": 16, **fields}
    )


async def folded(engine: LlamaCppEngine, **fields: Any) -> Answer:
    """The whole answer to a chat request."""
    answer = Answer()
    async with asyncio.timeout(60):
        async for event in engine.chat(chat_body(**fields)):
            if isinstance(event, ChatDelta):
                assert answer.usage is None, "a delta after the usage"
                answer.add(event)
            elif isinstance(event, Usage):
                answer.usage = event
    assert answer.usage is not None
    return answer


class Text:
    """The fold of one choice of a text completion."""

    def __init__(self) -> None:
        self.text = ""
        self.logprobs: list[Any] = []
        self.finish: str | None = None


async def continued(engine: LlamaCppEngine, prompt: Any = None, **fields: Any) -> tuple[dict[int, Text], Usage]:
    """Every choice of a text completion, and the usage."""
    body = CreateCompletionRequest.model_validate({"model": "small", "prompt": prompt, "max_tokens": 4, **fields})
    texts: dict[int, Text] = {}
    usage: Usage | None = None
    async with asyncio.timeout(60):
        async for event in engine.complete(body):
            if isinstance(event, CompletionDelta):
                text = texts.setdefault(event.choice, Text())
                assert text.finish is None, "a delta after the end"
                text.text += event.text
                text.logprobs.extend(event.logprobs or ())
                text.finish = event.finish_reason
            elif isinstance(event, Usage):
                usage = event
    assert usage is not None
    return dict(sorted(texts.items())), usage


@pytest.fixture
def ask() -> Any:
    return folded


@pytest.fixture
def complete() -> Any:
    return continued


@pytest.fixture
def body() -> Any:
    return chat_body


@pytest.fixture(scope="session")
def run_worker() -> Any:
    return running
