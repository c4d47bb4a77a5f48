"""Measures what search finds: nDCG@10 by meaning, by words and by both, over the API, on two public sets."""

import json
import re
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log2
from time import perf_counter, sleep
from typing import Any

from smalt.cli.bench.pairs import spread
from smalt.cli.bench.report import Report
from smalt.cli.bench.retrieval_sets import Collection, Question, collections
from smalt.cli.bench.servers import Server, as_settings, smalt_server
from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import Deployment

TOP = 10
BATCH = 500
POLL_SECONDS = 0.5
BOUNDARY = "smalt-bench-boundary"
MODES: dict[str, dict[str, Any]] = {
    "meaning": {"ranker": "none"},
    "words": {"hybrid_search": {"embedding_weight": 0, "text_weight": 1}},
    "both": {},
}
WHITE = re.compile(r"\s+")
HALF = 0.5


@dataclass(frozen=True)
class Plan:
    """How much is asked, and how documents are cut: tokens of a chunk and of its overlap, or None for `auto`."""

    documents: int | None = None
    questions: int | None = None
    chunks: tuple[int, int] | None = None


QUICK = Plan(documents=20, questions=5)


def chunk_sizes(given: str | None) -> tuple[int, int] | None:
    """The sizes that `--chunks` names."""
    if given is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", given)
    if match is None:
        raise InvalidRequest(f"'{given}' is not of the form SIZE/OVERLAP, such as 800/400.", param="--chunks")
    return int(match[1]), int(match[2])


def measure(deployment: Deployment, plan: Plan, command: str) -> Report:
    """Fill a vector store with each set, and ask it."""
    report = Report("Search: nDCG@10, in hundredths, of the questions that were not used for choosing", command)
    with smalt_server(
        {"bench": as_settings(deployment)}, environment={"SMALT_RETRIEVAL__EMBEDDING_MODEL": "bench"}
    ) as server:
        for collection in collections():
            _Collection(Client(server), collection, plan).tell(report)
    return report


class Client:
    """Asks the server, and takes no failure for an answer."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def ask(self, path: str, body: Any = None) -> dict[str, Any]:
        """Post JSON, or get when there is nothing to post."""
        data = None if body is None else json.dumps(body).encode()
        return self._send(path, data, "application/json")

    def upload(self, name: str, text: str) -> str:
        """Upload a text; the id of its file."""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        data = head.encode() + text.encode() + f"\r\n--{BOUNDARY}--\r\n".encode()
        return self._send("/files", data, f"multipart/form-data; boundary={BOUNDARY}")["id"]

    def _send(self, path: str, data: bytes | None, content_type: str) -> dict[str, Any]:
        target = self._server.target(path)
        headers = {**target.headers, "Content-Type": content_type}
        with urllib.request.urlopen(urllib.request.Request(target.url, data, headers)) as answer:  # noqa: S310 - our own address
            return json.load(answer)


class _Collection:
    """One set in a vector store."""

    def __init__(self, client: Client, collection: Collection, plan: Plan) -> None:
        self._client = client
        self._name = collection.name
        asked = [one for one in collection.questions if one.split == "reporting"][: plan.questions]
        needed = {one.document for one in asked}
        # The documents that answer come first, so that a short run has them.
        documents = sorted(collection.documents, key=lambda one: one.name not in needed)
        self._documents = documents if plan.documents is None else documents[: max(plan.documents, len(needed))]
        self._questions = asked
        self._chunks = plan.chunks

    def tell(self, report: Report) -> None:
        """Fill, ask and report."""
        started_at = perf_counter()
        store = self._fill()
        filled = perf_counter() - started_at
        squeezed = {one.name: WHITE.sub("", one.text) for one in self._documents}
        names = {f"{number}.txt": one.name for number, one in enumerate(self._documents)}
        for mode, options in MODES.items():
            found = [self._ask(store, question, options) for question in self._questions]
            scores = [
                ndcg(list(_fits(question, results, names, squeezed, self._text(question))))
                for question, results in zip(self._questions, found, strict=True)
            ]
            report.add(f"{self._name}, by {mode}", spread([100 * sum(scores) / len(scores)]))
            report.details[f"{self._name}, by {mode}"] = scores
        report.details[f"{self._name}, filled in seconds"] = filled

    def _text(self, question: Question) -> str:
        text = next(one.text for one in self._documents if one.name == question.document)
        return WHITE.sub("", text[question.start : question.end])

    def _fill(self) -> str:
        ids = [self._client.upload(f"{number}.txt", one.text) for number, one in enumerate(self._documents)]
        store = self._client.ask("/vector_stores", {"name": self._name})["id"]
        strategy: dict[str, Any] = {}
        if self._chunks is not None:
            size, overlap = self._chunks
            static = {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}
            strategy = {"chunking_strategy": {"type": "static", "static": static}}
        for start in range(0, len(ids), BATCH):
            body = {"file_ids": ids[start : start + BATCH], **strategy}
            self._wait(store, self._client.ask(f"/vector_stores/{store}/file_batches", body)["id"])
        return store

    def _wait(self, store: str, batch: str) -> None:
        while (now := self._client.ask(f"/vector_stores/{store}/file_batches/{batch}"))["status"] == "in_progress":
            sleep(POLL_SECONDS)
        if now["file_counts"]["completed"] != now["file_counts"]["total"]:
            raise RuntimeError(f"not every file of {self._name} was brought in: {now['file_counts']}")

    def _ask(self, store: str, question: Question, ranking: dict[str, Any]) -> list[dict[str, Any]]:
        body = {"query": question.text, "max_num_results": TOP, "ranking_options": ranking}
        return self._client.ask(f"/vector_stores/{store}/search", body)["data"]


def ndcg(fits: Sequence[bool]) -> float:
    """Normalised discounted cumulative gain where one place answers, so that only its first hit counts."""
    return next((1 / log2(place + 2) for place, does in enumerate(fits[:TOP]) if does), 0.0)


def _fits(
    question: Question,
    results: Sequence[dict[str, Any]],
    names: dict[str, str],
    documents: dict[str, str],
    section: str,
) -> Iterator[bool]:
    """Which results hold the place that answers: half of it, or half of them lies in it."""
    whole = documents[question.document]
    start = whole.find(section)
    for result in results:
        text = WHITE.sub("", "".join(part["text"] for part in result["content"]))
        at = whole.find(text) if names[result["filename"]] == question.document else -1
        common = min(at + len(text), start + len(section)) - max(at, start) if at >= 0 else 0
        yield common >= HALF * min(len(text), len(section)) > 0
