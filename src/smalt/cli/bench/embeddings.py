"""Measures embeddings: Smalt over HTTP with 16 texts in flight against a bare onnxruntime loop at batch 32."""

import json
from dataclasses import dataclass
from itertools import islice

from smalt.cli.bench.load import Load, Outcome
from smalt.cli.bench.pairs import Pairs, spread
from smalt.cli.bench.processes import Helper, ProcessTree, Used, helper, usable_cores
from smalt.cli.bench.report import Report, at_least
from smalt.cli.bench.servers import Server, as_settings, smalt_server
from smalt.cli.bench.words import passages
from smalt.engines.protocols import Deployment

IN_FLIGHT = 16
BATCH = 32
WORDS = 20


@dataclass(frozen=True)
class Plan:
    """How much is sent."""

    pairs: int = 7
    texts: int = 1600


QUICK = Plan(pairs=1, texts=160)


def measure(deployment: Deployment, plan: Plan, command: str) -> Report:
    """Start both over the same weights and compare them."""
    threads = deployment.options.get("threads") or usable_cores()
    options = {**deployment.weights, "threads": threads, "batch": BATCH}
    with (
        helper("smalt.cli.bench.naked_onnx", options) as naked,
        smalt_server({"bench": as_settings(deployment)}) as server,
        Load() as load,
    ):
        return Embeddings(plan, load, naked, server).report(command)


class Embeddings:
    """The measurements over a running server and the bare loop."""

    def __init__(self, plan: Plan, load: Load, naked: Helper, server: Server) -> None:
        self._plan = plan
        self._load = load
        self._naked = naked
        self._naked_tree = ProcessTree(naked.pid)
        self._server = server
        self._texts = passages(WORDS)

    def report(self, command: str) -> Report:
        """Measure everything."""
        report = Report("Embeddings: Smalt with 16 texts in flight against a bare onnxruntime loop", command)
        self._bare(self._some(BATCH))
        self._smalt(self._some(BATCH))
        naked: list[tuple[float, Used]] = []
        smalt: list[tuple[Outcome, Used]] = []
        for _ in range(self._plan.pairs):
            texts = self._some(self._plan.texts)
            naked.append(self._bare(texts))
            smalt.append(self._smalt(texts))
        self._tell(report, naked, smalt)
        return report

    def _tell(self, report: Report, naked: list[tuple[float, Used]], smalt: list[tuple[Outcome, Used]]) -> None:
        texts = self._plan.texts
        rates = Pairs(
            tuple(texts / seconds for seconds, _ in naked), tuple(outcome.requests_per_second for outcome, _ in smalt)
        )
        per_cpu = Pairs(
            tuple(texts / used.engine for _, used in naked), tuple(texts / used.engine for _, used in smalt)
        )
        ours = [1000 * used.ours / texts for _, used in smalt]
        report.compare("texts a second", rates, "/s", budget=at_least(0.90))
        report.compare("texts a CPU-second of the engine", per_cpu, "/s")
        report.add("our CPU a request", spread(ours), "ms")
        report.add("median time of a request", spread(outcome.milliseconds for outcome, _ in smalt), "ms")
        report.details |= {"texts_per_second": vars(rates), "texts_per_cpu_second": vars(per_cpu), "our_cpu_ms": ours}

    def _some(self, number: int) -> tuple[str, ...]:
        return tuple(islice(self._texts, number))

    def _bare(self, texts: tuple[str, ...]) -> tuple[float, Used]:
        self._server.tree.wait_until_idle()
        before = self._naked_tree.used()
        seconds = self._naked.ask({"texts": texts})["seconds"]
        return seconds, self._naked_tree.used().since(before)

    def _smalt(self, texts: tuple[str, ...]) -> tuple[Outcome, Used]:
        self._naked_tree.wait_until_idle()
        bodies = tuple(json.dumps({"model": "bench", "input": text}).encode() for text in texts)
        before = self._server.tree.used()
        outcome = self._load.run(self._server.target("/embeddings"), bodies, concurrency=IN_FLIGHT).or_fail()
        return outcome, self._server.tree.used().since(before)
