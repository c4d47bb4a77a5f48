"""What an operator may say about a deployment that llama.cpp serves."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smalt.core.errors import InvalidRequest
from smalt.engines.llama_cpp.weights import Header, read_header
from smalt.engines.protocols import Deployment

CACHE_LIMIT_BYTES = 2 * 2**30
"""Most memory that the attention cache takes when `context` is not set."""

RUNTIME_BYTES = 160 * 2**20
"""What a worker takes beside its weights, its caches and its compute buffers."""


class LlamaCppOptions(BaseModel):
    """The options of a deployment with `engine = "llama_cpp"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context: int | None = Field(None, ge=256)
    """Most tokens of one request, prompt and answer together; the model's own, as far as 2 GiB of cache go."""
    parallel: int = Field(4, ge=1, le=64)
    """Requests that generate at once; more wait. Each has room for `context` tokens, so memory grows with it."""
    threads: int | None = Field(None, ge=1, le=512)
    """Threads that compute; as many as there are processors."""
    batch: int = Field(128, ge=32, le=4096)
    """Prompt tokens computed in one go; while they are, other requests wait and nobody can leave."""
    prompt_cache_bytes: int = Field(512 * 2**20, ge=0)
    """Memory for the state of earlier prompts that no slot holds any more; 0 keeps none."""
    chat_template: Path | None = None
    """A file with a Jinja template to use instead of the model's own."""
    lora: list[Path] = Field(default_factory=list[Path])
    """GGUF adapters to apply to the model."""
    spin_count: int = Field(1000, ge=0)
    """How long a thread that waits for another keeps its processor busy (GOMP_SPINCOUNT): raise it on a machine that
    has nothing else to do, set 0 on one that has."""


def read_options(deployment: Deployment) -> LlamaCppOptions:
    """Check a deployment's options; a slip is told by field."""
    try:
        return LlamaCppOptions.model_validate(dict(deployment.options))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'options'}: {fault['msg']}" for fault in error.errors()
        )
        raise InvalidRequest(f"Correct deployments.{deployment.name}.options: {faults}") from None


class Sizes(BaseModel):
    """How much context a worker gives, and what that costs."""

    model_config = ConfigDict(frozen=True)

    context: int
    memory_bytes: int


def sizes(weights: Path, options: LlamaCppOptions) -> Sizes:
    """Choose the context of one request and estimate the memory of the worker."""
    header = read_header(weights)
    context = options.context or _usual_context(header, options.parallel)
    cache = options.parallel * (context * header.cache_bytes_per_token + 2 * header.window_bytes)
    compute = 2 * options.batch * header.vocabulary * 4 + 64 * 2**20
    files = [weights, *options.lora]
    stored = sum(path.stat().st_size for path in files)
    prompt_cache = 0 if options.lora else options.prompt_cache_bytes
    return Sizes(context=context, memory_bytes=stored + cache + compute + prompt_cache + RUNTIME_BYTES)


def _usual_context(header: Header, parallel: int) -> int:
    affordable = CACHE_LIMIT_BYTES // (header.cache_bytes_per_token * parallel)
    return max(256, min(header.context_length, affordable) // 256 * 256)


def usual_threads() -> int:
    """The processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
