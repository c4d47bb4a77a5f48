"""Measures Smalt as a gateway: what passing a request through to a stub upstream costs."""

import json
import shlex
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

from smalt.cli.bench.load import Load, Outcome, Target
from smalt.cli.bench.pairs import Pairs, spread
from smalt.cli.bench.processes import ProcessTree, helper, pinned, split_cores, stop
from smalt.cli.bench.report import Report, at_least, at_most
from smalt.cli.bench.servers import Server, free_port, smalt_server, wait_for_port

CONCURRENCIES = (1, 16, 64)
BUDGETED = 16
MODELS = ("pace-10", "pace-1000")
PATH = "/chat/completions"


@dataclass(frozen=True)
class Plan:
    """How much is sent."""

    pairs: int = 5
    requests: int = 2000
    streams: int = 48
    chunks: int = 100
    open_streams: int = 1000
    open_seconds: int = 10


QUICK = Plan(pairs=1, requests=200, streams=16, chunks=30, open_streams=100, open_seconds=2)


def request(model: str, **more: object) -> bytes:
    """The body of one chat request of an ordinary size."""
    content = "Write one sentence about clocks. " * 12
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **more}).encode()


def measure(plan: Plan, command: str, litellm: str | None = None) -> Report:
    """Run everything that this benchmark has."""
    report = Report("Gateway: pass-through to a stub upstream, the server on one core", command)
    ours, others = split_cores()
    with helper("smalt.cli.bench.stub", {"cores": sorted(others or ())}) as stub, Load(others) as load:
        upstream = f"http://127.0.0.1:{stub.ready['port']}/v1"
        deployments = {name: {"engine": "upstream", "base_url": upstream, "model": name} for name in MODELS}
        with smalt_server(deployments, cores=ours) as server:
            bench = Gateway(plan, report, load, server, Target(upstream + PATH))
            bench.requests()
            bench.paced_chunks()
            bench.open_streams()
            if litellm is not None:
                with other_gateway(litellm, upstream, ours) as other:
                    bench.against("LiteLLM", other)
    return report


class Gateway:
    """The measurements over one running server and one stub."""

    def __init__(self, plan: Plan, report: Report, load: Load, server: Server, stub: Target) -> None:
        self._plan = plan
        self._report = report
        self._load = load
        self._server = server
        self._smalt = server.target(PATH)
        self._stub = stub

    def requests(self) -> None:
        """Whole answers: throughput, added time, CPU."""
        self._send(self._smalt, 16)
        for concurrency in CONCURRENCIES:
            naked: list[Outcome] = []
            smalt: list[Outcome] = []
            cpu: list[float] = []
            for _ in range(self._plan.pairs):
                naked.append(self._send(self._stub, concurrency))
                before = self._server.tree.used()
                smalt.append(self._send(self._smalt, concurrency))
                cpu.append(1000 * self._server.tree.used().since(before).ours / self._plan.requests)
            self._tell(concurrency, naked, smalt, cpu)

    def _tell(self, concurrency: int, naked: list[Outcome], smalt: list[Outcome], cpu: list[float]) -> None:
        at = f"{concurrency} concurrent"
        rates = [outcome.requests_per_second for outcome in smalt]
        times = Pairs(tuple(each.milliseconds for each in naked), tuple(each.milliseconds for each in smalt))
        self._report.add(f"requests a second, {at}", spread(rates))
        self._report.added(f"added p50, {at}", times, "ms")
        budget = at_most(1.2) if concurrency == BUDGETED else None
        self._report.add(f"CPU a request, {at}", spread(cpu), "ms", budget=budget)
        self._report.details[at] = {"requests_per_second": rates, "cpu_ms": cpu, "milliseconds": vars(times)}

    def _send(self, target: Target, concurrency: int, model: str = "pace-10") -> Outcome:
        body = request(model)
        return self._load.run(target, (body,) * self._plan.requests, concurrency=concurrency).or_fail()

    def paced_chunks(self) -> None:
        """Streams of a chunk every 10 ms: CPU a chunk, everything that Smalt uses meanwhile counted."""
        plan = self._plan
        body = request("pace-10", stream=True, max_tokens=plan.chunks)
        cpu: list[float] = []
        for _ in range(plan.pairs):
            before = self._server.tree.used()
            outcome = self._load.run(self._smalt, (body,) * plan.streams, concurrency=16).or_fail()
            used = self._server.tree.used().since(before).ours
            assert outcome.events >= plan.streams * plan.chunks
            cpu.append(1e6 * used / (plan.streams * plan.chunks))
        self._report.add("CPU a paced chunk, 16 streams", spread(cpu), "µs", budget=at_most(250))

    def open_streams(self) -> None:
        """Many streams at once: memory, and whether each of them arrives whole."""
        plan = self._plan
        body = request("pace-1000", stream=True, max_tokens=plan.open_seconds)
        before = self._server.tree.used()
        running = self._load.start(self._smalt, (body,) * plan.open_streams, concurrency=plan.open_streams)
        peak = 0
        while not running.done():
            peak = max(peak, self._server.tree.memory_bytes())
            sleep(0.2)
        outcome = running.result()
        whole = sum(answer.is_complete and answer.events >= plan.open_seconds for answer in outcome.answers)
        self._report.add(f"memory, {plan.open_streams:,} open streams", spread([peak / 1e6]), "MB", budget=at_most(400))
        self._report.add("streams lost", spread([plan.open_streams - whole]), budget=at_most(0))
        used = self._server.tree.used().since(before).ours
        self._report.details["open_streams"] = {"failures": outcome.failures[:5], "cpu_seconds": used}

    def against(self, name: str, other: Target) -> None:
        """Another gateway in front of the same stub, in turns with Smalt."""
        naked: list[float] = []
        smalt: list[float] = []
        for _ in range(self._plan.pairs):
            few = (request("pace-10"),) * max(64, self._plan.requests // 10)
            naked.append(self._load.run(other, few, concurrency=16).or_fail().requests_per_second)
            smalt.append(self._send(self._smalt, 16).requests_per_second)
        pairs = Pairs(tuple(naked), tuple(smalt))
        self._report.compare(f"requests a second against {name}, 16 concurrent", pairs, "/s", budget=at_least(20))


@contextmanager
def other_gateway(command: str, upstream: str, cores: frozenset[int] | None) -> Generator[Target]:
    """Run another gateway; in its command `{port}` and `{upstream}` stand for where to listen and whom to ask."""
    port = free_port()
    words = [word.format(port=port, upstream=upstream) for word in shlex.split(command)]
    with pinned(cores):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - the user's own
    try:
        wait_for_port(port, process)
        target = Target(f"http://127.0.0.1:{port}/v1{PATH}", {"Authorization": "Bearer sk-bench"})
        _wait_for_answer(target)
        ProcessTree(process.pid).wait_until_idle()
        yield target
    finally:
        stop(process)


def _wait_for_answer(target: Target, seconds: float = 60.0) -> None:
    """Some gateways listen before they can answer."""
    until = monotonic() + seconds
    with Load() as load:
        while (outcome := load.run(target, (request("pace-10"),) * 4, concurrency=1)).failures:
            if monotonic() > until:
                outcome.or_fail()
            sleep(0.5)
