"""What a job is to those who ask for one, and to those who do the work."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")

JobStatus = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class NewJob:
    """Work to be done once; `id` is that of the object it makes, so that asking twice starts nothing new."""

    id: str
    kind: str
    project: str
    queue: str
    input: Mapping[str, Any] = field(default_factory=dict[str, Any])


class JobStopped(Exception):
    """The job was paused or cancelled while it worked; raised by the context, never caught by a handler."""


class JobContext(Protocol):
    """What a handler may ask of the job that it works on."""

    @property
    def id(self) -> str:
        """The job's id."""
        ...

    @property
    def project(self) -> str:
        """The project whose objects the job changes."""
        ...

    @property
    def input(self) -> Mapping[str, Any]:
        """What the job was started with."""
        ...

    async def step(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do a piece of work and record its JSON result; after a kill the recorded result is taken instead.

        Results are found again by `name`, so each step of a job has its own name (`embed 17`), and the order of
        steps may differ after a kill. A kill between the work and the record makes it run again, so it must be
        idempotent; what it raises is not recorded. Raises `JobStopped` before it begins when the job is to stop.
        """
        ...

    async def report(self, progress: Mapping[str, Any]) -> None:
        """Tell how far the job is; `smalt jobs show` prints it."""
        ...


class Handler(Protocol):
    """Does the jobs of one kind."""

    kind: str
    queue: str

    async def run(self, context: JobContext) -> None:
        """Do the work; what it raises makes the job fail."""
        ...

    async def ended_early(self, job: NewJob, status: Literal["failed", "cancelled"], reason: str) -> None:
        """Put the failure or the cancellation in the object that the client sees; may be called twice."""
        ...


class Sweep(Protocol):
    """Something that is done again and again, such as removing what has expired."""

    name: str
    seconds: float

    async def sweep(self) -> None:
        """Do it now; several runners may do so at once."""
        ...
