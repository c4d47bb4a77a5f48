"""Measures starting: what `smalt serve` takes until it is ready, and how long the first token takes from cold."""

from dataclasses import dataclass
from time import perf_counter

from smalt.cli.bench.chat import PATH, Side
from smalt.cli.bench.load import Load
from smalt.cli.bench.pairs import spread
from smalt.cli.bench.report import Report, at_most
from smalt.cli.bench.servers import as_settings, smalt_server
from smalt.engines.protocols import Deployment

QUESTION = "Name three colours."


@dataclass(frozen=True)
class Plan:
    """How often a server is started."""

    starts: int = 7


QUICK = Plan(starts=1)


@dataclass(frozen=True)
class Start:
    """One start of a server, and its first token."""

    cpu_seconds: float
    memory_bytes: int
    seconds: float
    first_seconds: float

    @property
    def cold_seconds(self) -> float:
        """From no process at all to the first token."""
        return self.seconds + self.first_seconds


def measure(deployment: Deployment, plan: Plan, command: str) -> Report:
    """Start the server again and again."""
    report = Report("Start: smalt serve, and the first token from cold", command)
    with Load() as load:
        starts = [_start(deployment, load) for _ in range(plan.starts)]
    report.add("CPU until ready", spread(start.cpu_seconds for start in starts), "s", budget=at_most(2))
    memory = spread(start.memory_bytes / 1e6 for start in starts)
    report.add("memory when ready, no model loaded", memory, "MB", budget=at_most(150))
    report.add("time until ready", spread(start.seconds for start in starts), "s")
    first = spread(start.first_seconds for start in starts)
    report.add("cold start of the model to its first token", first, "s", budget=at_most(3))
    cold = spread(start.cold_seconds for start in starts)
    report.add("first token, server and model both cold", cold, "s")
    report.details["starts"] = [vars(start) for start in starts]
    return report


def _start(deployment: Deployment, load: Load) -> Start:
    with smalt_server({"bench": as_settings(deployment)}) as server:
        seconds = perf_counter() - server.started_at
        used = server.tree.used()
        memory = server.tree.memory_bytes()
        side = Side(server.target(PATH), server.tree, {"model": "bench"})
        outcome = load.run(side.target, (side.body(QUESTION, 2),), concurrency=1).or_fail()
        return Start(used.ours + used.engine, memory, seconds, outcome.first_milliseconds / 1000)
