"""The engine as the rest of Smalt sees it: which worker it needs, and what it answers with it."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar, Self

import orjson

from smalt.core.errors import EngineFailed, NotInstalled
from smalt.engines.llama_cpp import chat, completion, templated_chat
from smalt.engines.llama_cpp.chat_plan import plan_chat
from smalt.engines.llama_cpp.completion_plan import check_tokens, plan_completion
from smalt.engines.llama_cpp.facts import ModelFacts
from smalt.engines.llama_cpp.held import SchemaCheck
from smalt.engines.llama_cpp.options import read_options, sizes, usual_threads
from smalt.engines.protocols import (
    ChatEvent,
    CompletionEvent,
    Deployment,
    Engine,
    Serving,
    WorkerAddress,
    WorkerSpec,
)
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest


class LlamaCppEngine(Engine):
    """Runs a GGUF model (`weights.model`) with llama.cpp: chat and text completions.

    Options of a deployment (`smalt.engines.llama_cpp.options` has the defaults): `context` and `parallel` (how long
    one request may be, and how many run at once; memory grows with both), `threads`, `batch`, `spin_count` (how the
    processor is used), `prompt_cache_bytes`, `chat_template` (a Jinja file instead of the model's own), `lora` (GGUF
    adapters that are always applied).
    """

    extra: ClassVar[str | None] = "local"

    @classmethod
    def worker(cls, deployment: Deployment) -> WorkerSpec:
        """One worker for each set of weights and options: two deployments of the same share it."""
        options = read_options(deployment)
        weights = _weights(deployment)
        size = sizes(weights, options)
        told: dict[str, Any] = {
            **options.model_dump(mode="json"),
            "model": str(weights),
            "context": size.context,
            "threads": options.threads or usual_threads(),
        }
        return WorkerSpec(
            key=f"llama_cpp:{weights.stem}:{_digest(told)}",
            target="smalt.engines.llama_cpp.worker:serve",
            options=told,
            memory_bytes=size.memory_bytes,
        )

    @classmethod
    def open(cls, deployment: Deployment, worker: WorkerAddress | None) -> Self:
        """Make the engine over its running worker."""
        return cls(deployment, worker)

    def __init__(self, deployment: Deployment, worker: WorkerAddress | None = None) -> None:
        super().__init__(deployment)
        if worker is None:
            raise EngineFailed(f"The model '{deployment.name}' runs in a worker process, and there is none.")
        # Its HTTP client is slow to import, and a server that lists its engines is not ready before it has theirs.
        from smalt.engines.llama_cpp.server import LlamaServer

        facts = ModelFacts.of(worker.info)
        server = LlamaServer(deployment.name, worker.socket_path)
        self._worker = chat.Worker(server, facts, SchemaCheck(server, facts))
        self._serving = Serving(deployment.model, facts.fingerprint)

    @property
    def context(self) -> int:
        """Most tokens of a prompt and its answer together."""
        return self._worker.facts.context

    def chat(self, body: AzureCreateChatCompletionRequest) -> AsyncIterator[ChatEvent]:
        """Stream the answer: every choice's deltas, then the usage."""
        return self._chat(body)

    def complete(self, body: CreateCompletionRequest) -> AsyncIterator[CompletionEvent]:
        """Stream the continuation of every prompt."""
        return self._complete(body)

    async def text_of(self, tokens: Sequence[int]) -> str:
        """What token ids of the model's own stand for, special ones spelled out."""
        prompt = list(tokens)
        check_tokens(prompt, self._worker.facts)
        return await completion.text_of(self._worker, prompt)

    async def close(self) -> None:
        """Close the connections to the worker."""
        await self._worker.server.close()

    async def _chat(self, body: AzureCreateChatCompletionRequest) -> AsyncGenerator[ChatEvent]:
        plan = plan_chat(body, self._worker.facts)
        begin = templated_chat.answer if plan.is_left_to_template else chat.answer
        yield self._serving
        async with aclosing(begin(self._worker, plan)) as events:
            async for event in events:
                yield event

    async def _complete(self, body: CreateCompletionRequest) -> AsyncGenerator[CompletionEvent]:
        plan = plan_completion(body, self._worker.facts)
        yield self._serving
        async with aclosing(completion.answer(self._worker, plan)) as events:
            async for event in events:
                yield event


def _digest(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _weights(deployment: Deployment) -> Path:
    path = deployment.weights.get("model")
    if path is None:
        raise NotInstalled(
            f"The deployment '{deployment.name}' has no weights. Name a GGUF file: "
            f"deployments.{deployment.name}.weights.model."
        )
    return Path(path)
