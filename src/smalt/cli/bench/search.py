"""Measures search: the index through its worker's channel and over HTTP, against bare faiss in the same run."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from smalt.cli.bench.load import Load
from smalt.cli.bench.pairs import Pairs, Spread, spread
from smalt.cli.bench.processes import Helper, ProcessTree, helper
from smalt.cli.bench.report import Budget, Report, at_least, at_most
from smalt.cli.bench.search_library import STORE_ID, Library, exact, fill, keys, tenths
from smalt.cli.bench.servers import as_settings, smalt_server
from smalt.core.settings import load_settings
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import start_host
from smalt.engines.protocols import Deployment
from smalt.retrieval.index.embedded import EmbeddedIndex, worker_spec
from smalt.retrieval.protocols import IndexQuery, Mode
from smalt.schemas.vector_stores import ComparisonFilter

LIMIT = 10
ALL = 10
LARGE = 500_000
MEGABYTE = 2**20


@dataclass(frozen=True)
class Plan:
    """How much is searched, and how often."""

    chunks: int = 100_000
    queries: int = 200
    pairs: int = 5


@dataclass(frozen=True)
class Kind:
    """A way to search that is measured by itself."""

    name: str
    mode: Mode = "semantic"
    share: int = ALL
    """How many tenths of the files the filter lets through; all is no filter."""


KINDS = (
    Kind("by meaning"),
    Kind("by meaning, filter of half", share=5),
    Kind("by meaning, filter of a tenth", share=1),
    Kind("by words", mode="text"),
    Kind("hybrid", mode="hybrid"),
    Kind("hybrid, filter of a tenth", mode="hybrid", share=1),
)


@dataclass
class Timed:
    """Milliseconds of every search of one kind, turn by turn, and what the searches found."""

    turns: list[list[float]] = field(default_factory=list[list[float]])
    found: list[list[int]] = field(default_factory=list[list[int]])

    def percentile(self, percent: float) -> Spread:
        """A percentile over all turns, with the lowest and the highest turn's."""
        by_turn = [float(np.percentile(turn, percent)) for turn in self.turns]
        whole = float(np.percentile([one for turn in self.turns for one in turn], percent))
        return Spread(whole, min(by_turn), max(by_turn))


def measure(deployment: Deployment | None, plan: Plan, command: str) -> Report:
    """Fill a database, then measure; HTTP only when there is a model to embed queries with."""
    report = Report(f"Search in {plan.chunks:,} chunks of 384 dimensions, top {LIMIT}", command)
    with TemporaryDirectory(prefix="smalt-bench-") as name:
        folder = Path(name)
        library = fill(folder, plan.chunks, plan.queries)
        with helper("smalt.cli.bench.naked_faiss", {"vectors": str(library.vectors), "limit": LIMIT}) as naked:
            asyncio.run(Searches(plan, folder, library, naked, report).run())
        if deployment is not None:
            _over_http(deployment, folder, library, report)
    return report


class Searches:
    """The measurements over the worker's channel."""

    def __init__(self, plan: Plan, folder: Path, library: Library, naked: Helper, report: Report) -> None:
        self._plan = plan
        self._settings = load_settings(data_dir=folder, log={"level": "error"})
        self._library = library
        self._naked = naked
        self._report = report
        self._timed = {kind: Timed() for kind in KINDS}
        self._naked_turns: list[list[float]] = []
        self._p95 = at_most(60.0 if plan.chunks > LARGE else 15.0)
        self._recall = at_least(0.95 if plan.chunks > LARGE else 0.98)

    async def run(self) -> None:
        """Build, search in turns, stop, open again."""
        async with AsyncExitStack() as stack:
            index, host = await self._started(stack)
            build = await self._first(index)
            for _ in range(self._plan.pairs):
                self._naked_turns.append(self._ask_naked())
                for kind in KINDS:
                    self._timed[kind].turns.append(await self._turn(index, kind))
            memory = await self._memory(host)
            await self._saved()
        async with AsyncExitStack() as stack:
            index, _ = await self._started(stack)
            reopened = await self._first(index)
        self._tell(build, reopened, memory)

    async def _started(self, stack: AsyncExitStack) -> tuple[EmbeddedIndex, EngineHost]:
        process = stack.enter_context(start_host(self._settings))
        host = await EngineHost.connect(process.socket_path)
        stack.push_async_callback(host.close)
        index = EmbeddedIndex(worker_spec(self._settings), host)
        stack.push_async_callback(index.close)
        return index, host

    async def _first(self, index: EmbeddedIndex) -> float:
        began = perf_counter()
        hits = await index.search(self._query(KINDS[0], 0))
        assert hits, "a filled vector store has hits"
        return perf_counter() - began

    async def _turn(self, index: EmbeddedIndex, kind: Kind) -> list[float]:
        milliseconds: list[float] = []
        found: list[list[int]] = []
        for number in range(self._plan.queries):
            query = self._query(kind, number)
            began = perf_counter()
            hits = await index.search(query)
            milliseconds.append(1000 * (perf_counter() - began))
            found.append([hit.file << 20 | hit.position for hit in hits])
        self._timed[kind].found = found
        return milliseconds

    def _query(self, kind: Kind, number: int) -> IndexQuery:
        filter_ = ComparisonFilter.model_validate({"type": "lt", "key": "tenth", "value": kind.share})
        return IndexQuery(
            self._library.sequence,
            self._library.version,
            LIMIT,
            kind.mode,
            vectors=() if kind.mode == "text" else (self._library.queries[number].astype("<f4").tobytes(),),
            texts=() if kind.mode == "semantic" else (self._library.texts[number],),
            filter=None if kind.share == ALL else filter_,
        )

    def _ask_naked(self) -> list[float]:
        answer = self._naked.ask({"queries": self._library.queries.tolist()})
        return [1000 * seconds for seconds in answer["seconds"]]

    async def _memory(self, host: EngineHost) -> float:
        (pid,) = [worker.pid for worker in await host.status() if worker.pid is not None]
        return ProcessTree(pid).memory_bytes() / MEGABYTE

    async def _saved(self) -> None:
        manifest = self._settings.data_dir / "index" / str(self._library.sequence) / "vectors" / "manifest.json"
        while not manifest.exists():  # noqa: ASYNC110 the file system tells nobody
            await asyncio.sleep(0.1)

    def _tell(self, build: float, reopened: float, memory: float) -> None:
        naked = tuple(float(np.median(turn)) for turn in self._naked_turns)
        ours = tuple(float(np.median(turn)) for turn in self._timed[KINDS[0]].turns)
        self._report.compare("median by meaning, against flat SQ8", Pairs(naked, ours), "ms")
        for kind, timed in self._timed.items():
            self._report.add(f"{kind.name}: p50", timed.percentile(50), "ms")
            self._report.add(f"{kind.name}: p95", timed.percentile(95), "ms", budget=self._p95)
            if kind.mode == "semantic":
                self._report.add(f"{kind.name}: recall@{LIMIT}", self._recall_of(kind), budget=self._recall)
        self._report.add("memory of the worker", spread([memory]), "MB", budget=self._most_memory)
        self._report.add("first search of a new store (build)", spread([build]), "s")
        self._report.add("first search after a restart", spread([reopened]), "s")
        self._report.details["milliseconds"] = {kind.name: timed.turns for kind, timed in self._timed.items()}
        self._report.details["naked_milliseconds"] = self._naked_turns

    @property
    def _most_memory(self) -> Budget | None:
        return at_most(1024.0) if self._plan.chunks > LARGE else None

    def _recall_of(self, kind: Kind) -> Spread:
        number = self._plan.chunks
        allowed = None if kind.share == ALL else tenths(number) < kind.share
        right = keys(1, number)[exact(self._library, allowed, LIMIT)]
        found = self._timed[kind].found
        return spread([float(np.mean([_share(one, set(row.tolist())) for one, row in zip(found, right, strict=True)]))])


def _share(found: list[int], right: set[int]) -> float:
    return len(right.intersection(found)) / len(right)


def _over_http(deployment: Deployment, folder: Path, library: Library, report: Report) -> None:
    """`POST /vector_stores/{id}/search`, one after the other, the embedding of the query included."""
    filtered = {"filters": {"type": "eq", "key": "tenth", "value": 3}}
    with smalt_server({"bench": as_settings(deployment)}, folder=folder) as server, Load() as load:
        target = server.target(f"/vector_stores/{STORE_ID}/search")
        for name, more in (("over HTTP", {}), ("over HTTP, filter of a tenth", filtered)):
            asked = {"max_num_results": LIMIT, **more}
            bodies = tuple(json.dumps({"query": text, **asked}).encode() for text in library.texts)
            load.run(target, bodies[:3], concurrency=1).or_fail()
            answers = load.run(target, bodies, concurrency=1).or_fail().answers
            times = [1000 * answer.seconds for answer in answers]
            report.add(f"{name}: p50", spread([float(np.percentile(times, 50))]), "ms")
            report.add(f"{name}: p95", spread([float(np.percentile(times, 95))]), "ms")


QUICK = Plan(chunks=5_000, queries=20, pairs=1)
