"""Measures transcription: Smalt over HTTP against bare faster-whisper, over the same weights with the same options."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from smalt.cli.bench.audio_requests import Request, timed, timed_together
from smalt.cli.bench.pairs import Pairs, spread
from smalt.cli.bench.processes import Helper, ProcessTree, Used, helper
from smalt.cli.bench.report import Report, at_least
from smalt.cli.bench.servers import Server, as_settings, smalt_server
from smalt.cli.forms import Field, form
from smalt.engines.faster_whisper import ENVIRONMENT, FasterWhisperEngine
from smalt.engines.protocols import Deployment
from smalt.engines.transcription_worker.options import checked_options

PATH = "/audio/transcriptions"


@dataclass(frozen=True)
class Plan:
    """How often the recording is heard by each side, and how often at once."""

    pairs: int = 5
    together: int = 4


QUICK = Plan(pairs=1, together=2)


@dataclass(frozen=True)
class Turn:
    """One side's turn: seconds of one recording, of its first words, and of several at once; CPU of one."""

    seconds: float
    first_seconds: float
    together_seconds: float
    used: Used
    text: str


def measure(deployment: Deployment, recording: bytes, plan: Plan, command: str) -> Report:
    """Start both over the same weights and compare them."""
    with (
        TemporaryDirectory(prefix="smalt-bench-") as folder,
        helper("smalt.cli.bench.naked_whisper", naked_options(deployment), ENVIRONMENT) as naked,
        smalt_server({"bench": as_settings(deployment)}) as server,
    ):
        place = Path(folder) / "recording"
        place.write_bytes(recording)
        return Transcription(plan, naked, server, place).report(command)


class Transcription:
    """The measurements over a running server and the bare library."""

    def __init__(self, plan: Plan, naked: Helper, server: Server, recording: Path) -> None:
        self._plan = plan
        self._naked = naked
        self._naked_tree = ProcessTree(naked.pid)
        self._server = server
        self._recording = recording
        self._duration = 0.0
        file = Field("file", recording.read_bytes(), recording.name)
        asked = (Field("model", "bench"), file)
        self._whole = Request(PATH, *form((*asked, Field("response_format", "verbose_json"))))
        self._streamed = Request(PATH, *form((*asked, Field("stream", "true"))))

    def report(self, command: str) -> Report:
        """Measure everything; the first turn of each side loads what is loaded only once."""
        self._duration = self._bare()["duration"]
        timed(self._server, self._whole)
        naked: list[Turn] = []
        smalt: list[Turn] = []
        for _ in range(self._plan.pairs):
            naked.append(self._naked_turn())
            smalt.append(self._smalt_turn())
        report = Report("Transcription: Smalt against bare faster-whisper", command)
        self._tell(report, naked, smalt)
        return report

    def _tell(self, report: Report, naked: list[Turn], smalt: list[Turn]) -> None:
        def pairs(value: Callable[[Turn], float]) -> Pairs:
            return Pairs(tuple(map(value, naked)), tuple(map(value, smalt)))

        seconds = self._duration
        report.add("length of the recording", spread([seconds]), "s")
        alone = pairs(lambda turn: seconds / turn.seconds)
        report.compare("seconds of sound a second, alone", alone, "", budget=at_least(0.95))
        together = pairs(lambda turn: self._plan.together * seconds / turn.together_seconds)
        report.compare(f"seconds of sound a second, {self._plan.together} at once", together, "", budget=at_least(0.95))
        cpu = pairs(lambda turn: turn.used.engine / seconds)
        report.compare("engine's CPU for a second of sound", cpu, "s")
        report.add("our CPU a request", spread(1000 * turn.used.ours for turn in smalt), "ms")
        first = pairs(lambda turn: 1000 * turn.first_seconds)
        report.added("time to the first words, streamed", first, "ms")
        alike = [100 * _alike(one.text, other.text) for one, other in zip(naked, smalt, strict=True)]
        report.add("words that both heard alike", spread(alike), "%")
        memory = Pairs((self._naked_tree.memory_bytes() / 1e6,), (self._server.tree.memory_bytes() / 1e6,))
        report.compare("memory afterwards, all processes", memory, "MB")
        report.details |= {"duration": seconds, "naked": [asdict(turn) for turn in naked]}
        report.details |= {"smalt": [asdict(turn) for turn in smalt]}

    def _bare(self) -> dict[str, Any]:
        return self._naked.ask({"recording": str(self._recording)})

    def _naked_turn(self) -> Turn:
        self._server.tree.wait_until_idle()
        before = self._naked_tree.used()
        heard = self._bare()
        used = self._naked_tree.used().since(before)
        # The library hears one recording at a time, so several take as long as all of them one by one.
        together = sum(self._bare()["seconds"] for _ in range(self._plan.together))
        return Turn(heard["seconds"], heard["first_seconds"], together, used, heard["text"])

    def _smalt_turn(self) -> Turn:
        self._naked_tree.wait_until_idle()
        before = self._server.tree.used()
        heard = timed(self._server, self._whole)
        used = self._server.tree.used().since(before)
        streamed = timed(self._server, self._streamed)
        together = timed_together(self._server, self._whole, self._plan.together)
        return Turn(heard.seconds, streamed.first_seconds, together, used, heard.json["text"].strip())


def naked_options(deployment: Deployment) -> Mapping[str, Any]:
    """What the bare library gets: the files and options of the worker, and the same way of hearing."""
    options = checked_options(deployment)
    weights = FasterWhisperEngine.worker(deployment).options["weights"]
    return {
        "folder": str(Path(weights["model"]).parent),
        "model": {"compute_type": options.compute_type, "cpu_threads": options.cores},
        "transcribe": {
            "beam_size": options.beam_size,
            "best_of": options.best_of,
            "condition_on_previous_text": options.condition_on_previous_text,
        },
    }


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.split(), other.split(), autojunk=False).ratio()
