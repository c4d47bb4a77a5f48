"""Counts requests, times and tokens for Prometheus."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from smalt.core.settings import Settings
from smalt.http.blocked_in_jobs import BlockedInJobs
from smalt.http.call import Call
from smalt.store.usage import EndUser, Tokens

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Labelled(Protocol):
    """A metric that has a child for each set of labels."""

    def labels(self, *values: str) -> Any:
        """The child for these labels."""
        ...


def shared_folder(settings: Settings) -> Path:
    """Where the API processes of one `smalt serve` keep their counts for one another; made, and cleared of the dead's.

    A process that died leaves its counts, which stay true, but not its part in what is going on now.
    """
    parent = settings.data_dir / "metrics"
    folder = parent / str(os.getppid())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for other in parent.iterdir():
        if other.name.isdigit() and not _is_alive(int(other.name)):
            shutil.rmtree(other, ignore_errors=True)
    for gauge in folder.glob("gauge_live*_*.db"):
        if not _is_alive(int(gauge.stem.rpartition("_")[2])):
            gauge.unlink(missing_ok=True)
    return folder


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Metrics:
    """The counters of one app."""

    def __init__(self, settings: Settings) -> None:
        self._is_shared = settings.server.workers > 1
        self._blocked_in_jobs = BlockedInJobs(settings)
        if self._is_shared:
            # The library looks once, while it is imported.
            os.environ.setdefault(MULTIPROCESS_VARIABLE, str(shared_folder(settings)))
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._children: dict[tuple[int | str, ...], Any] = {}
        self._registry = registry = CollectorRegistry()
        place = ["operation", "mount"]
        self._requests = Counter("smalt_requests", "Requests answered.", [*place, "status"], registry=registry)
        self._seconds = Histogram(
            "smalt_request_seconds", "Time to the end of the answer.", place, registry=registry, buckets=SECONDS
        )
        self._first_chunk = Histogram(
            "smalt_first_chunk_seconds", "Time to a stream's first chunk.", place, registry=registry, buckets=SECONDS
        )
        self._tokens = Counter("smalt_tokens", "Tokens by model and kind.", ["model", "kind"], registry=registry)
        self._filtered = Counter(
            "smalt_content_filtered",
            "Prompts and choices that the content filter blocked.",
            ["deployment", "side", "category"],
            registry=registry,
        )
        self._at_work = Gauge(
            "smalt_requests_at_work", "Requests being answered now.", registry=registry, multiprocess_mode="livesum"
        )

    def begin(self) -> None:
        """Count in a request."""
        self._at_work.inc()

    def end(self, call: Call, status: int) -> None:
        """Count out a request."""
        self._at_work.dec()
        place = (call.operation or "none", call.mount)
        self._of(self._requests, *place, str(status)).inc()
        self._of(self._seconds, *place).observe(perf_counter() - call.started_at)
        if call.first_chunk_at is not None:
            self._of(self._first_chunk, *place).observe(call.first_chunk_at - call.started_at)

    def spent(self, call: Call, model: str, tokens: Tokens, end_user: EndUser | None) -> None:
        """Count tokens."""
        del call, end_user
        self._of(self._tokens, model, "prompt").inc(tokens.prompt_tokens)
        self._of(self._tokens, model, "completion").inc(tokens.completion_tokens)
        self._of(self._tokens, model, "cached").inc(tokens.cached_tokens)

    def filtered(self, deployment: str, side: str, category: str) -> None:
        """Count a prompt or a choice that was blocked for a category."""
        self._of(self._filtered, deployment, side, category).inc()

    def _of(self, metric: Labelled, *labels: str) -> Any:
        """The child of a metric; the library's own look-up is five times slower than a dict's."""
        key = (id(metric), *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def page(self, workers: Iterable[Any]) -> bytes:
        """All counts of all API processes and of jobs, and the state of the engine workers, as Prometheus reads it."""
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess

        for labels, count in self._blocked_in_jobs.take().items():
            self._of(self._filtered, *labels).inc(count)
        registry = self._registry
        if self._is_shared:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry, path=os.environ[MULTIPROCESS_VARIABLE])
        return generate_latest(registry) + generate_latest(_worker_registry(workers))


def _worker_registry(workers: Iterable[Any]) -> Any:
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    states = Gauge("smalt_workers", "Engine workers by state.", ["worker", "state"], registry=registry)
    memory = Gauge("smalt_worker_memory_bytes", "Memory set aside for a worker.", ["worker"], registry=registry)
    for worker in workers:
        states.labels(worker.key, worker.state).set(1)
        memory.labels(worker.key).set(worker.memory_bytes)
    return registry
