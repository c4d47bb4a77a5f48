"""Measures ingestion: files into a vector store over HTTP, against a bare onnxruntime loop over their chunks."""

import io
import json
import time
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from smalt.cli.bench.pairs import Pairs, spread
from smalt.cli.bench.processes import Helper, ProcessTree, Used, helper, usable_cores
from smalt.cli.bench.report import Report, at_least
from smalt.cli.bench.servers import Server, as_settings, smalt_server
from smalt.cli.bench.words import passages
from smalt.engines.protocols import Deployment

BATCH = 32
CHUNK_TOKENS = 200
"""Chunks that the bare loop's model sees whole too: a longer one would be cut off there."""

OVERLAP_TOKENS = 0
"""A file's content, which the bare loop gets, leaves out what chunks repeat; so they repeat nothing."""

POLL_SECONDS = 0.1
MOST_SECONDS = 300.0


@dataclass(frozen=True)
class Plan:
    """How much is brought in."""

    pairs: int = 3
    documents: int = 12
    words: int = 600


QUICK = Plan(pairs=1, documents=4, words=300)


@dataclass(frozen=True)
class Batch:
    """What a batch of files became, and what it took."""

    seconds: float
    used: Used
    chunks: tuple[str, ...]


def measure(deployment: Deployment, plan: Plan, command: str) -> Report:
    """Start a server and the bare loop over the same weights and compare them."""
    threads = deployment.options.get("threads") or usable_cores()
    options = {**deployment.weights, "threads": threads, "batch": BATCH}
    name = "text-embedding-3-small"
    with (
        helper("smalt.cli.bench.naked_onnx", options) as naked,
        smalt_server({name: as_settings(deployment)}) as server,
    ):
        return Ingestion(plan, naked, server).report(command)


class Ingestion:
    """The measurements over a running server and the bare loop."""

    def __init__(self, plan: Plan, naked: Helper, server: Server) -> None:
        self._plan = plan
        self._naked = naked
        self._naked_tree = ProcessTree(naked.pid)
        self._client = _Client(server)
        self._server = server
        self._texts = passages(plan.words)

    def report(self, command: str) -> Report:
        """Measure everything."""
        report = Report(
            "Ingestion: files into a vector store against a bare onnxruntime loop over their chunks", command
        )
        # The first batch starts the job process, the reader of documents and the model's worker.
        self._bring_in(2)
        ours: list[Batch] = []
        naked: list[tuple[float, Used]] = []
        for _ in range(self._plan.pairs):
            ours.append(self._bring_in(self._plan.documents))
            naked.append(self._bare(ours[-1].chunks))
        self._tell(report, naked, ours)
        return report

    def _tell(self, report: Report, naked: list[tuple[float, Used]], ours: list[Batch]) -> None:
        counts = [len(batch.chunks) for batch in ours]
        rates = Pairs(
            tuple(count / seconds for count, (seconds, _) in zip(counts, naked, strict=True)),
            tuple(count / batch.seconds for count, batch in zip(counts, ours, strict=True)),
        )
        cpu = Pairs(
            tuple(count / used.engine for count, (_, used) in zip(counts, naked, strict=True)),
            tuple(count / batch.used.engine for count, batch in zip(counts, ours, strict=True)),
        )
        shares = [100 * batch.used.ours / (batch.used.ours + batch.used.engine) for batch in ours]
        report.compare("chunks a second", rates, "/s", budget=at_least(0.85))
        report.compare("chunks a CPU-second of the engine", cpu, "/s")
        report.add("documents a second", spread(self._plan.documents / batch.seconds for batch in ours), "/s")
        report.add("our share of the CPU", spread(shares), "%")
        report.add("our CPU a document", spread(1000 * b.used.ours / self._plan.documents for b in ours), "ms")
        report.details |= {"chunks": counts, "chunks_per_second": vars(rates), "chunks_per_cpu_second": vars(cpu)}

    def _bring_in(self, documents: int) -> Batch:
        files = [self._client.upload(f"{text}\n".encode()) for text in self._some(documents)]
        store = self._client.post("/vector_stores", {})["id"]
        self._naked_tree.wait_until_idle()
        self._server.tree.wait_until_idle(3)
        before, began = self._server.tree.used(), time.perf_counter()
        strategy = {"max_chunk_size_tokens": CHUNK_TOKENS, "chunk_overlap_tokens": OVERLAP_TOKENS}
        body = {"file_ids": files, "chunking_strategy": {"type": "static", "static": strategy}}
        batch = self._client.post(f"/vector_stores/{store}/file_batches", body)
        self._wait(f"/vector_stores/{store}/file_batches/{batch['id']}", documents)
        seconds, used = time.perf_counter() - began, self._server.tree.used().since(before)
        pages = (self._client.get(f"/vector_stores/{store}/files/{file}/content")["data"] for file in files)
        return Batch(seconds, used, tuple(part["text"] for page in pages for part in page))

    def _wait(self, path: str, documents: int) -> None:
        until = time.monotonic() + MOST_SECONDS
        while (batch := self._client.get(path))["status"] == "in_progress":
            if time.monotonic() > until:
                raise TimeoutError(f"{documents} documents were not brought in within {MOST_SECONDS:g} seconds")
            time.sleep(POLL_SECONDS)
        if batch["file_counts"]["completed"] != documents:
            raise RuntimeError(f"not every document could be brought in: {batch['file_counts']}")

    def _bare(self, chunks: tuple[str, ...]) -> tuple[float, Used]:
        self._server.tree.wait_until_idle()
        before = self._naked_tree.used()
        seconds = self._naked.ask({"texts": chunks})["seconds"]
        return seconds, self._naked_tree.used().since(before)

    def _some(self, number: int) -> Iterator[str]:
        return islice(self._texts, number)


class _Client:
    """Speaks with the server, one request after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def get(self, path: str) -> dict[str, Any]:
        return self._sent(path, None, {})

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._sent(path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def upload(self, content: bytes) -> str:
        boundary = uuid.uuid4().hex
        parts = [('name="purpose"', b"assistants"), ('name="file"; filename="notes.txt"', content)]
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self._sent("/files", _multipart(parts, boundary), kind)["id"]

    def _sent(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
        target = self._server.target(path)
        request = urllib.request.Request(target.url, body, {**target.headers, **headers})  # noqa: S310 - our own address
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
            return json.load(answer)


def _multipart(parts: Iterable[tuple[str, bytes]], boundary: str) -> bytes:
    made = io.BytesIO()
    for disposition, content in parts:
        made.write(
            f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + content + b"\r\n"
        )
    made.write(f"--{boundary}--\r\n".encode())
    return made.getvalue()
