"""Measures speech: Smalt over HTTP against bare kokoro-onnx, over the same weights with as many threads."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice

from smalt.cli.bench.audio_requests import Request, timed
from smalt.cli.bench.pairs import Pairs, spread
from smalt.cli.bench.processes import Helper, ProcessTree, Used, helper
from smalt.cli.bench.report import Report, at_least
from smalt.cli.bench.servers import Server, as_settings, smalt_server
from smalt.cli.bench.words import sentences
from smalt.engines.kokoro import KokoroEngine
from smalt.engines.protocols import Deployment

PATH = "/audio/speech"
VOICE = "af_heart"
FIRST = "Good morning to all of you."
BYTES_A_SECOND = 48_000
"""Of `pcm`: 16 bits, 24,000 times a second."""


@dataclass(frozen=True)
class Plan:
    """How many texts are spoken by each side, and how long one is."""

    pairs: int = 5
    words: int = 60


QUICK = Plan(pairs=1, words=12)


@dataclass(frozen=True)
class Turn:
    """One side's turn: how long the sound is, the seconds that it took, those to its first bytes, and the CPU."""

    duration: float
    seconds: float
    first_seconds: float
    used: Used


def measure(deployment: Deployment, plan: Plan, command: str) -> Report:
    """Start both over the same weights and compare them."""
    spec = KokoroEngine.worker(deployment)
    options = {**spec.options, "voice": VOICE}
    with (
        helper("smalt.cli.bench.naked_kokoro", options, spec.options["env"]) as naked,
        smalt_server({"bench": as_settings(deployment)}) as server,
    ):
        return Speech(plan, naked, server).report(command)


class Speech:
    """The measurements over a running server and the bare library."""

    def __init__(self, plan: Plan, naked: Helper, server: Server) -> None:
        self._plan = plan
        self._naked = naked
        self._naked_tree = ProcessTree(naked.pid)
        self._server = server
        self._texts = sentences(plan.words)

    def report(self, command: str) -> Report:
        """Measure everything; the first turn of each side loads what is loaded only once."""
        self._naked_turn(FIRST)
        self._smalt_turn(FIRST)
        naked: list[Turn] = []
        smalt: list[Turn] = []
        for text in islice(self._texts, self._plan.pairs):
            naked.append(self._naked_turn(text))
            smalt.append(self._smalt_turn(text))
        report = Report("Speech: Smalt against bare kokoro-onnx", command)
        self._tell(report, naked, smalt)
        return report

    def _tell(self, report: Report, naked: list[Turn], smalt: list[Turn]) -> None:
        def pairs(value: Callable[[Turn], float]) -> Pairs:
            return Pairs(tuple(map(value, naked)), tuple(map(value, smalt)))

        report.compare("length of the sound", pairs(lambda turn: turn.duration), "s")
        rates = pairs(lambda turn: turn.duration / turn.seconds)
        report.compare("seconds of sound a second", rates, "", budget=at_least(0.90))
        report.compare("engine's CPU for a second of sound", pairs(lambda t: t.used.engine / t.duration), "s")
        report.add("our CPU a request", spread(1000 * turn.used.ours for turn in smalt), "ms")
        report.added("time to the first sound", pairs(lambda turn: 1000 * turn.first_seconds), "ms")
        memory = Pairs((self._naked_tree.memory_bytes() / 1e6,), (self._server.tree.memory_bytes() / 1e6,))
        report.compare("memory afterwards, all processes", memory, "MB")
        report.details |= {"naked": [asdict(turn) for turn in naked], "smalt": [asdict(turn) for turn in smalt]}

    def _naked_turn(self, text: str) -> Turn:
        self._server.tree.wait_until_idle()
        before = self._naked_tree.used()
        spoken = self._naked.ask({"text": text})
        used = self._naked_tree.used().since(before)
        return Turn(spoken["duration"], spoken["seconds"], spoken["first_seconds"], used)

    def _smalt_turn(self, text: str) -> Turn:
        self._naked_tree.wait_until_idle()
        body = {"model": "bench", "voice": VOICE, "input": text, "response_format": "pcm"}
        before = self._server.tree.used()
        spoken = timed(self._server, Request(PATH, json.dumps(body).encode()))
        used = self._server.tree.used().since(before)
        return Turn(len(spoken.content) / BYTES_A_SECOND, spoken.seconds, spoken.first_seconds, used)
