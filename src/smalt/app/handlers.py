"""Who does the jobs of each kind, and who sweeps."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from smalt.app.opening import Rooms
from smalt.jobs.protocols import Handler, Sweep
from smalt.store.files import ExpiredFiles
from smalt.store.uploads import ExpiredUploads
from smalt.store.vector_stores import ExpiredStores


@dataclass(frozen=True, slots=True)
class Workers:
    """The handlers of jobs and the sweeps, and what closes them.

    A sweep that no schedule names is done every `seconds`.
    """

    handlers: Sequence[Handler] = field(default_factory=list[Handler])
    sweeps: Sequence[Sweep] = field(default_factory=list[Sweep])
    close: Callable[[], Awaitable[None]] | None = None


def workers(rooms: Rooms) -> Workers:
    """Everything that Smalt does outside of requests."""
    # It loads what reads documents, which the server itself never needs.
    from smalt.retrieval.ingestion import IngestHandler

    database = rooms.database
    ingestion = IngestHandler(rooms.settings, database, rooms.blobs.local_path, rooms.models)
    sweeps = (ExpiredFiles(database), ExpiredUploads(database), ExpiredStores(database, rooms.index), rooms.blobs)
    return Workers([ingestion], sweeps, ingestion.close)
