"""Measures chat: Smalt over HTTP against the engine's own HTTP listener, same weights, same parameters, in turns."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from time import sleep

from smalt.cli.bench.load import Load, Outcome, Target
from smalt.cli.bench.pairs import Pairs, spread
from smalt.cli.bench.processes import ProcessTree, Used, helper
from smalt.cli.bench.report import Report, at_least, at_most
from smalt.cli.bench.servers import as_settings, smalt_server
from smalt.cli.bench.words import passages
from smalt.engines.protocols import Deployment

PATH = "/chat/completions"
WORDS_IN = 44
PARALLEL = 16
# How Smalt has tokens drawn; llama.cpp alone would take samplers that OpenAI does not have.
DRAWING: dict[str, object] = {"top_k": 0, "min_p": 0, "top_p": 1, "samplers": ["temperature"]}
# Turns that only put the prompt into the caches.
FILLING_TURNS = 2


@dataclass(frozen=True)
class Plan:
    """How much is sent."""

    pairs: int = 5
    turns: Mapping[int, int] = field(default_factory=lambda: {1: 6, 4: 3, PARALLEL: 2})
    """For each number of concurrent streams, how many requests each of them makes in a load."""
    tokens: int = 64
    first_tokens: int = 100


QUICK = Plan(pairs=1, turns={1: 1, 4: 1, PARALLEL: 1}, first_tokens=5)


@dataclass(frozen=True)
class Side:
    """One of the two servers; `extra` goes into every body."""

    target: Target
    tree: ProcessTree
    extra: dict[str, object]

    def body(self, question: str, tokens: int) -> bytes:
        """One request for a stream of `tokens` tokens."""
        message = {"role": "user", "content": question}
        base = {"messages": [message], "max_tokens": tokens, "temperature": 0, "stream": True}
        return json.dumps({**base, "stream_options": {"include_usage": True}, **self.extra}).encode()


@dataclass(frozen=True)
class Run:
    """One load on one side."""

    outcome: Outcome
    used: Used

    @property
    def tokens_per_second(self) -> float:
        """Tokens of all streams over the time of the whole load."""
        return self.outcome.tokens / self.outcome.seconds

    @property
    def engine_seconds(self) -> float:
        """CPU-seconds of the engine for 1000 tokens."""
        return 1000 * self.used.engine / self.outcome.tokens

    @property
    def our_seconds(self) -> float:
        """CPU-seconds of everything else for 1000 tokens."""
        return 1000 * self.used.ours / self.outcome.tokens


def measure(deployment: Deployment, plan: Plan, command: str) -> Report:
    """Start both servers over the same weights and compare them."""
    from smalt.engines.registry import engine_class

    options = {**deployment.options, "parallel": PARALLEL}
    spec = engine_class(deployment.engine).worker(replace(deployment, options=options))
    if spec is None:
        raise RuntimeError(f"The engine of '{deployment.name}' has no listener of its own to compare with.")
    settings = {**as_settings(deployment), "options": options}
    with (
        helper("smalt.cli.bench.naked_llama", spec.options) as naked,
        smalt_server({"bench": settings}) as server,
        Load() as load,
    ):
        address = f"{naked.ready['address']}/v1{PATH}"
        theirs = Side(Target(address), ProcessTree(naked.pid), DRAWING)
        ours = Side(server.target(PATH), server.tree, {"model": "bench"})
        return Chat(plan, load, theirs, ours).report(command)


class Chat:
    """The measurements over two running servers."""

    def __init__(self, plan: Plan, load: Load, naked: Side, smalt: Side) -> None:
        self._plan = plan
        self._load = load
        self._naked = naked
        self._smalt = smalt
        self._questions = questions()

    def report(self, command: str) -> Report:
        """Measure everything."""
        report = Report("Chat: Smalt against the engine's own HTTP listener", command)
        for side in (self._naked, self._smalt):
            self._run(side, 1, (next(self._questions),))
        for concurrency in self._plan.turns:
            self._streams(report, concurrency)
        self._first_token(report)
        return report

    def _streams(self, report: Report, concurrency: int) -> None:
        naked: list[Run] = []
        smalt: list[Run] = []
        for _ in range(self._plan.pairs):
            asked = tuple(islice(self._questions, concurrency * self._plan.turns[concurrency]))
            naked.append(self._run(self._naked, concurrency, asked))
            smalt.append(self._run(self._smalt, concurrency, asked))
        _tell(report, f"{concurrency} concurrent", naked, smalt)

    def _run(self, side: Side, concurrency: int, asked: tuple[str, ...]) -> Run:
        # The other side may still be spinning; only one of them may hold the cores.
        for other in (self._naked, self._smalt):
            other.tree.wait_until_idle()
        bodies = tuple(side.body(question, self._plan.tokens) for question in asked)
        before = side.tree.used()
        outcome = self._load.run(side.target, bodies, concurrency=concurrency).or_fail()
        return Run(outcome, side.tree.used().since(before))

    def _first_token(self, report: Report) -> None:
        """What Smalt adds, made visible: the prompt is in both caches, so hardly anything else is left to wait for."""
        question = next(self._questions)
        times: dict[bool, list[float]] = {False: [], True: []}
        for turn in range(-2 * FILLING_TURNS, 2 * self._plan.first_tokens):
            is_smalt = bool(turn % 2)
            side = self._smalt if is_smalt else self._naked
            sleep(0.1)
            outcome = self._load.run(side.target, (side.body(question, 2),), concurrency=1).or_fail()
            if turn >= 0:
                times[is_smalt].append(outcome.first_milliseconds)
        pairs = Pairs(tuple(times[False]), tuple(times[True]))
        report.added("added time to first token, prompt in the cache", pairs, "ms", budget=at_most(5))
        report.details["first_token_cached_ms"] = vars(pairs)


def _tell(report: Report, at: str, naked: list[Run], smalt: list[Run]) -> None:
    rates = _pairs(naked, smalt, lambda run: run.tokens_per_second)
    engine = _pairs(naked, smalt, lambda run: run.engine_seconds)
    first = _pairs(naked, smalt, lambda run: run.outcome.first_milliseconds)
    ours = [run.our_seconds for run in smalt]
    report.compare(f"tokens a second, {at}", rates, "/s", budget=at_least(0.97))
    # An engine without a worker has no CPU-seconds of its own.
    if all(engine.naked + engine.smalt):
        share = spread(100 * our / its for our, its in zip(ours, engine.smalt, strict=True))
        report.compare(f"engine's CPU for 1000 tokens, {at}", engine, "s")
        report.add(f"our CPU of the engine's, {at}", share, "%", budget=at_most(2))
    report.add(f"our CPU for 1000 tokens, {at}", spread(ours), "s")
    report.added(f"median time to first token, {at}", first, "ms")
    report.details[at] = {
        "tokens": vars(_pairs(naked, smalt, lambda run: run.outcome.tokens)),
        "tokens_per_second": vars(rates),
        "engine_cpu_seconds": vars(engine),
        "our_cpu_seconds": ours,
        "first_token_ms": vars(first),
    }


def _pairs(naked: list[Run], smalt: list[Run], figure: Callable[[Run], float]) -> Pairs:
    return Pairs(tuple(map(figure, naked)), tuple(map(figure, smalt)))


def questions() -> Iterator[str]:
    """Requests of about 97 tokens with the chat template around them, all different."""
    for passage in passages(WORDS_IN):
        yield f"Explain this at length: {passage}"
