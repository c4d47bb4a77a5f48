"""Who does the jobs of each kind, and who sweeps."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smalt.app.opening import Rooms
from smalt.http.blocked_in_jobs import BlockedInJobs
from smalt.http.limits import open_limits
from smalt.jobs.protocols import Handler, Sweep
from smalt.store.containers import ExpiredContainers
from smalt.store.files import ExpiredFiles
from smalt.store.idempotent_answers import ExpiredIdempotentAnswers
from smalt.store.keys import Keys
from smalt.store.response_endings import AbandonedResponses
from smalt.store.responses import Responses
from smalt.store.spoken_answers import ExpiredSpokenAnswers
from smalt.store.uploads import ExpiredUploads
from smalt.store.usage import UsageRecorder
from smalt.store.vector_stores import ExpiredStores

if TYPE_CHECKING:
    from smalt.api.responses.background import RespondHandler


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

    responses = _responses(rooms)
    runs = connector_workers(rooms).handlers
    database = rooms.database
    ingestion = IngestHandler(rooms.settings, database, rooms.blobs.local_path, rooms.models)
    sweeps = (
        ExpiredFiles(database),
        ExpiredUploads(database),
        ExpiredStores(database, rooms.index),
        AbandonedResponses(database),
        ExpiredContainers(database),
        ExpiredIdempotentAnswers(database),
        ExpiredSpokenAnswers(database),
        rooms.blobs,
    )

    async def close() -> None:
        await ingestion.close()
        await responses.close()

    return Workers([ingestion, responses, *runs], sweeps, close)


def connector_workers(rooms: Rooms) -> Workers:
    """Those who work on runs of connectors, and on nothing that needs models."""
    from smalt.connectors.runs.handler import ConnectorRunHandler

    return Workers([ConnectorRunHandler(rooms.settings, rooms.database)])


def _responses(rooms: Rooms) -> "RespondHandler":
    from smalt.api.generation import Generation
    from smalt.api.responses.background import RespondHandler
    from smalt.api.responses.planning import Planner
    from smalt.api.responses.spending import JobSpending

    return RespondHandler(
        Responses(rooms.database, rooms.jobs),
        Planner(rooms),
        Generation(rooms.models, rooms.content_filter, rooms.ears, BlockedInJobs(rooms.settings)),
        JobSpending(UsageRecorder(rooms.database), open_limits(rooms.settings), Keys(rooms.database)),
        rooms.settings.responses,
    )
