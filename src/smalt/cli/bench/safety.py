"""Measures moderation: what it finds in texts that it was not trained on, and what finding it costs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from smalt.cli.bench.load import Load, Outcome
from smalt.cli.bench.pairs import Pairs, spread
from smalt.cli.bench.processes import Helper, Used, helper
from smalt.cli.bench.report import Report, at_most
from smalt.cli.bench.safety_quality import tell_quality
from smalt.cli.bench.servers import Server, as_settings, smalt_server
from smalt.cli.bench.words import passages
from smalt.engines.moderation import ENVIRONMENT
from smalt.engines.protocols import Deployment

WORDS = 25
MODERATIONS, CHAT = "/moderations", "/chat/completions"
MOST_MILLISECONDS = 15
WARM_UP = 20


@dataclass(frozen=True)
class Plan:
    """How often each side is measured, and with how many texts of a sentence or two."""

    pairs: int = 5
    texts: int = 200
    held_out: int | None = None
    """How many of the texts that are held out are judged; all of them, when None."""


HARMS = dict.fromkeys(("hate", "sexual", "violence", "self_harm"), "annotate")
TELLING = {"prompts": {**HARMS, "jailbreak": "annotate"}, "answers": HARMS}
"""The default policy, but that nothing is blocked: one of a thousand harmless prompts would be."""

FILTER = {
    "SMALT_CONTENT_FILTER__MODERATION_MODEL": "bench",
    "SMALT_CONTENT_FILTER__POLICIES": json.dumps({"telling": TELLING}),
}

QUICK = Plan(pairs=1, texts=40, held_out=60)


def measure(deployment: Deployment, plan: Plan, command: str) -> Report:
    """Judge the data that is held out, and start a server to see what judging costs."""
    # Beside it a model that answers at once, in two ways.
    deployments = {
        "bench": as_settings(deployment),
        "plain": {"engine": "echo", "content_filter": "none"},
        "filtered": {"engine": "echo", "content_filter": "telling"},
    }
    with (
        helper("smalt.cli.bench.naked_moderation", dict(deployment.weights), ENVIRONMENT) as naked,
        smalt_server(deployments, environment=FILTER) as server,
        Load() as load,
    ):
        report = Report("Safety: moderation on held-out texts, and what it costs", command)
        tell_quality(report, lambda texts: naked.ask({"texts": list(texts)})["scores"], plan.held_out)
        Costs(plan, load, naked, server).tell(report)
        return report


class Costs:
    """The measurements over a running server and the worker's bare functions."""

    def __init__(self, plan: Plan, load: Load, naked: Helper, server: Server) -> None:
        self._plan = plan
        self._load = load
        self._naked = naked
        self._server = server
        self._texts = passages(WORDS)

    def tell(self, report: Report) -> None:
        """Measure everything; the first texts load what is loaded only once."""
        self._bare(self._some(WARM_UP))
        self._over_http(self._some(WARM_UP))
        for model in ("plain", "filtered"):
            self._chat(model, self._some(WARM_UP))
        self._tell_judging(report)
        self._tell_filtering(report)

    def _tell_judging(self, report: Report) -> None:
        count = self._plan.texts
        naked: list[Mapping[str, float]] = []
        smalt: list[tuple[Outcome, Used]] = []
        for _ in range(self._plan.pairs):
            texts = self._some(count)
            naked.append(self._bare(texts))
            smalt.append(self._over_http(texts))
        wall = Pairs(
            tuple(1000 * one["seconds"] / count for one in naked), tuple(outcome.milliseconds for outcome, _ in smalt)
        )
        cpu = Pairs(
            tuple(1000 * one["cpu_seconds"] / count for one in naked),
            tuple(1000 * (used.engine + used.ours) / count for _, used in smalt),
        )
        report.added("time of a text over HTTP, one after the other", wall, "ms")
        over_http = spread(wall.smalt)
        report.add("time of a text over HTTP", over_http, "ms", budget=at_most(MOST_MILLISECONDS))
        report.added("CPU of a text over HTTP, all processes", cpu, "ms")
        report.details |= {"milliseconds": vars(wall), "cpu_milliseconds": vars(cpu)}

    def _tell_filtering(self, report: Report) -> None:
        """What the filter adds to a chat whose model answers at once, for words that are new and for words it knows."""
        plain: list[float] = []
        new: list[float] = []
        known: list[float] = []
        for _ in range(self._plan.pairs):
            texts = self._some(self._plan.texts)
            plain.append(self._chat("plain", texts).milliseconds)
            new.append(self._chat("filtered", texts).milliseconds)
            known.append(self._chat("filtered", texts).milliseconds)
        for what, filtered in (("a new prompt", new), ("a prompt in the cache", known)):
            report.added(f"added by the filter, {what}", Pairs(tuple(plain), tuple(filtered)), "ms")
        report.details |= {"plain": plain, "new": new, "known": known}

    def _some(self, number: int) -> tuple[str, ...]:
        return tuple(islice(self._texts, number))

    def _bare(self, texts: tuple[str, ...]) -> Mapping[str, float]:
        self._server.tree.wait_until_idle()
        return self._naked.ask({"texts": texts})

    def _over_http(self, texts: tuple[str, ...]) -> tuple[Outcome, Used]:
        bodies = tuple(json.dumps({"model": "bench", "input": text}).encode() for text in texts)
        before = self._server.tree.used()
        outcome = self._load.run(self._server.target(MODERATIONS), bodies, concurrency=1).or_fail()
        return outcome, self._server.tree.used().since(before)

    def _chat(self, model: str, texts: tuple[str, ...]) -> Outcome:
        conversations = ({"model": model, "messages": [{"role": "user", "content": text}]} for text in texts)
        bodies = tuple(json.dumps(body).encode() for body in conversations)
        return self._load.run(self._server.target(CHAT), bodies, concurrency=1).or_fail()
