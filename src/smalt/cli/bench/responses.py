"""Measures responses against chat completions on the same server, in turns: time to the first event, CPU a chunk."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from typing import Any

from smalt.cli.bench.chat import FILLING_TURNS, questions
from smalt.cli.bench.load import Load, Outcome, Target
from smalt.cli.bench.pairs import Pairs
from smalt.cli.bench.processes import ProcessTree, helper, split_cores
from smalt.cli.bench.report import Report, at_most
from smalt.cli.bench.servers import Server, as_settings, smalt_server
from smalt.engines.protocols import Deployment

CHAT_PATH = "/chat/completions"
PATH = "/responses"
# The stub's models: a chunk every millisecond, and one every ten.
QUICK_PACE, PACE = "pace-1", "pace-10"
NOT_STORED, STORED, BACKGROUND = "not stored", "stored", "background"
CONCURRENCY = 16
# Responses take no smaller limit of tokens.
FEWEST_TOKENS = 16
QUESTION = "Write one sentence about clocks. " * 12
FIRST_EVENT = at_most(5)
CPU = at_most(1.5)


@dataclass(frozen=True)
class Plan:
    """How much is sent."""

    pairs: int = 7
    streams: int = 48
    chunks: int = 100
    requests: int = 1000
    first_events: int = 100


QUICK = Plan(pairs=1, streams=16, chunks=30, requests=100, first_events=5)


@dataclass(frozen=True)
class Side:
    """One way to ask a server; `extra` goes into every body."""

    target: Target
    tree: ProcessTree
    asks: Callable[[str, int], dict[str, Any]]
    extra: dict[str, Any]

    def body(self, question: str, tokens: int, *, stream: bool = True) -> bytes:
        """One request for an answer of `tokens` tokens."""
        return json.dumps({**self.asks(question, tokens), **self.extra, "stream": stream}).encode()


@dataclass(frozen=True)
class Sides:
    """Chat completions, and responses of each kind, by its name in the report."""

    chat: Side
    kinds: dict[str, Side]

    @classmethod
    def of(cls, model: str, server: Server, jobs: Server | None = None) -> "Sides":
        """The sides for one model; those in the background are of `jobs`.

        That is a server of its own, because the process of its jobs never rests, which chat is not to pay for.
        """
        chat = Side(server.target(CHAT_PATH), server.tree, _chat, {"model": model})
        asked = {NOT_STORED: (server, {"store": False}), STORED: (server, {"store": True})}
        if jobs is not None:
            asked[BACKGROUND] = (jobs, {"store": True, "background": True})
        kinds = {
            kind: Side(one.target(PATH), one.tree, _response, {"model": model, **extra})
            for kind, (one, extra) in asked.items()
        }
        return cls(chat, kinds)


def measure(deployment: Deployment, plan: Plan, command: str) -> Report:
    """Run everything that this benchmark has; `deployment` is for the streams of a real model."""
    report = Report("Responses: against chat completions of the same server", command, sides=("chat", "responses"))
    ours, others = split_cores()
    with helper("smalt.cli.bench.stub", {"cores": sorted(others or ())}) as stub, Load(others) as load:
        upstream = f"http://127.0.0.1:{stub.ready['port']}/v1"
        deployments = {name: {"engine": "upstream", "base_url": upstream, "model": name} for name in (QUICK_PACE, PACE)}
        with smalt_server(deployments, cores=ours) as server, smalt_server(deployments, cores=ours) as jobs:
            bench = Responses(plan, report, load)
            bench.first_events(Sides.of(QUICK_PACE, server, jobs))
            bench.paced_chunks(Sides.of(PACE, server, jobs))
            bench.whole_answers(Sides.of(PACE, server))
    with smalt_server({"bench": as_settings(deployment)}) as server, Load() as load:
        Responses(plan, report, load).first_events_of_a_model(Sides.of("bench", server))
    return report


class Responses:
    """The measurements over running servers."""

    def __init__(self, plan: Plan, report: Report, load: Load) -> None:
        self._plan = plan
        self._report = report
        self._load = load

    def first_events(self, sides: Sides) -> None:
        """Single streams of the stub: what a response's first event and first text wait for longer than chat's."""
        for kind, side in sides.kinds.items():
            outcomes = self._in_turns(sides.chat, side, QUESTION)
            self._tell_first(f"{kind}, stub", outcomes, is_budgeted=kind == NOT_STORED)

    def first_events_of_a_model(self, sides: Sides) -> None:
        """The same of a real model that has the prompt in its cache, so that little else is left to wait for."""
        outcomes = self._in_turns(sides.chat, sides.kinds[NOT_STORED], next(questions()))
        self._tell_first(f"{NOT_STORED}, model with the prompt in its cache", outcomes, is_budgeted=True)

    def _in_turns(self, chat: Side, side: Side, question: str) -> list[tuple[Outcome, Outcome]]:
        """Single streams of both, in turns; the first few only warm up."""
        turns = range(FILLING_TURNS + self._plan.first_events)
        return [(self._single(chat, question), self._single(side, question)) for _ in turns][FILLING_TURNS:]

    def _single(self, side: Side, question: str) -> Outcome:
        sleep(0.1)
        return self._load.run(side.target, (side.body(question, FEWEST_TOKENS),), concurrency=1).or_fail()

    def _tell_first(self, at: str, outcomes: list[tuple[Outcome, Outcome]], *, is_budgeted: bool) -> None:
        events = _pairs(outcomes, lambda outcome: outcome.first_event_milliseconds)
        texts = _pairs(outcomes, lambda outcome: outcome.first_milliseconds)
        budget = FIRST_EVENT if is_budgeted else None
        self._report.added(f"added time to first event, {at}", events, "ms", budget=budget)
        self._report.added(f"added time to first text, {at}", texts, "ms")
        self._report.details[f"first, {at}"] = {"event_ms": vars(events), "text_ms": vars(texts)}

    def paced_chunks(self, sides: Sides) -> None:
        """Streams of a chunk every 10 ms: CPU for each chunk of the model, all that a stream costs counted in."""
        chunks = self._plan.streams * self._plan.chunks
        for kind, side in sides.kinds.items():
            pairs = self._cpu(sides.chat, side, self._streamed, parts=1e6 / chunks)
            self._report.compare(f"CPU a chunk, {kind}, {CONCURRENCY} streams", pairs, "µs", budget=CPU)
            self._report.details[f"CPU a chunk in µs, {kind}"] = vars(pairs)

    def whole_answers(self, sides: Sides) -> None:
        """Answers without a stream, which the stub has at once: CPU a request."""
        for kind, side in sides.kinds.items():
            pairs = self._cpu(sides.chat, side, self._whole, parts=1e3 / self._plan.requests)
            self._report.added(f"added CPU a request, {kind}, {CONCURRENCY} concurrent", pairs, "ms")
            self._report.details[f"CPU a request in ms, {kind}"] = vars(pairs)

    def _cpu(self, chat: Side, side: Side, send: Callable[[Side], None], *, parts: float) -> Pairs:
        """CPU-seconds of the whole server for one load on each, in turns, times `parts`."""

        def used(one: Side) -> float:
            before = one.tree.used()
            send(one)
            return parts * one.tree.used().since(before).ours

        used(chat)
        used(side)
        turns = [(used(chat), used(side)) for _ in range(self._plan.pairs)]
        return Pairs(*zip(*turns, strict=True))

    def _streamed(self, side: Side) -> None:
        bodies = (side.body(QUESTION, self._plan.chunks),) * self._plan.streams
        for answer in self._load.run(side.target, bodies, concurrency=CONCURRENCY).or_fail().answers:
            if not answer.is_complete or answer.events <= self._plan.chunks:
                raise RuntimeError(f"A stream of {self._plan.chunks} chunks ended after {answer.events} events.")

    def _whole(self, side: Side) -> None:
        bodies = (side.body(QUESTION, FEWEST_TOKENS, stream=False),) * self._plan.requests
        self._load.run(side.target, bodies, concurrency=CONCURRENCY).or_fail()


def _chat(question: str, tokens: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], "max_tokens": tokens, "temperature": 0}


def _response(question: str, tokens: int) -> dict[str, Any]:
    return {"input": question, "max_output_tokens": tokens, "temperature": 0}


def _pairs(outcomes: list[tuple[Outcome, Outcome]], figure: Callable[[Outcome], float]) -> Pairs:
    return Pairs(tuple(figure(chat) for chat, _ in outcomes), tuple(figure(ours) for _, ours in outcomes))
