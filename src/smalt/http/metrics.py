"""Counts requests, times and tokens for Prometheus."""

import os
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

from smalt.core.settings import Settings
from smalt.http.call import Call
from smalt.store.usage import EndUser, Tokens

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def multiprocess_folder(settings: Settings) -> Path:
    """Where several API processes keep their counts for one another."""
    return settings.data_dir / "metrics"


def forget_dead_processes(settings: Settings) -> None:
    """Remove the counts of processes that are gone; called before the first of several API processes starts."""
    for path in multiprocess_folder(settings).glob("*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not _is_alive(int(pid)):
            path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def forget_process(pid: int) -> None:
    """Take a dead API process out of the counts of what is going on now."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(pid)


class Metrics:
    """The counters of one app."""

    def __init__(self, settings: Settings) -> None:
        self._is_shared = settings.server.workers > 1
        if self._is_shared:
            # The library looks once, while it is imported.
            folder = multiprocess_folder(settings)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.environ.setdefault(MULTIPROCESS_VARIABLE, str(folder))
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
        self._requests.labels(*place, str(status)).inc()
        self._seconds.labels(*place).observe(perf_counter() - call.started_at)
        if call.first_chunk_at is not None:
            self._first_chunk.labels(*place).observe(call.first_chunk_at - call.started_at)

    def spent(self, call: Call, model: str, tokens: Tokens, end_user: EndUser | None) -> None:
        """Count tokens."""
        del call, end_user
        self._tokens.labels(model, "prompt").inc(tokens.prompt_tokens)
        self._tokens.labels(model, "completion").inc(tokens.completion_tokens)
        self._tokens.labels(model, "cached").inc(tokens.cached_tokens)

    def page(self, workers: Iterable[Any]) -> bytes:
        """All counts of all API processes, and the state of the engine workers, as Prometheus reads it."""
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess

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
