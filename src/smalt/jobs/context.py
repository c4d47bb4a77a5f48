"""What a handler sees of its job: its input, its steps, its progress."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from smalt.jobs.durable import Durable, OwnershipLost
from smalt.jobs.protocols import JobStopped
from smalt.jobs.rows import Claim, JobRows, Stop

T = TypeVar("T")


class RunningContext:
    """The context of one attempt at a job; `stop` says why the attempt stopped, once it has."""

    def __init__(self, claim: Claim, rows: JobRows, durable: Durable, recorded: Mapping[str, Any]) -> None:
        self.claim = claim
        self.stop: Stop | None = None
        self._rows = rows
        self._durable = durable
        self._recorded = recorded
        self._names: set[str] = set()

    @property
    def id(self) -> str:
        """The job's id."""
        return self.claim.job.id

    @property
    def project(self) -> str:
        """The project whose objects the job changes."""
        return self.claim.job.project

    @property
    def input(self) -> Mapping[str, Any]:
        """What the job was started with."""
        return self.claim.job.input

    async def step(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do a piece of work once, however often the job is begun; see `JobContext.step`."""
        if name in self._names:
            raise ValueError(f"A job has one step of each name, and this one has two named '{name}'.")
        self._names.add(name)
        if name in self._recorded:
            return self._recorded[name]
        await self._go_on()
        result = await work()
        try:
            return await self._durable.record(name, result)
        except OwnershipLost:
            await self._lost()
            raise JobStopped from None

    async def report(self, progress: Mapping[str, Any]) -> None:
        """Tell how far the job is."""
        await self._rows.report(self.claim, progress)

    async def _go_on(self) -> None:
        """Raise `JobStopped` unless the job is this runner's still, and wanted."""
        stops = await self._rows.stops([self.claim])
        self.stop = self.stop or stops.get(self.id)
        if self.stop is not None:
            raise JobStopped

    async def _lost(self) -> None:
        stops = await self._rows.stops([self.claim])
        self.stop = self.stop or stops.get(self.id, "lost")
