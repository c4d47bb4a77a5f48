"""What an operation may ask of the rooms below: models, stored completions, the content filter."""

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from smalt.api.generation import Generation
from smalt.api.moderating import Moderator
from smalt.jobs.queue import JobQueue
from smalt.models import Models
from smalt.store.blobs import Blobs
from smalt.store.database import Database
from smalt.store.stored_completions import StoredCompletions

if TYPE_CHECKING:
    from smalt.retrieval.data_sources import DataSources
    from smalt.retrieval.search import Search


async def models(request: Request) -> Models:
    """The models that this server answers with."""
    return request.app.state.models


async def stored_completions(request: Request) -> StoredCompletions:
    """The completions that were kept."""
    return StoredCompletions(request.app.state.database)


async def generation(request: Request) -> Generation:
    """What generates answers, past the app's content filter."""
    state = request.app.state
    return Generation(state.models, state.content_filter, state.rooms.ears, state.metrics)


async def moderator(request: Request) -> Moderator:
    """What asks moderation models."""
    state = request.app.state
    return Moderator(state.models, state.settings.content_filter.image_model)


async def database(request: Request) -> Database:
    """Where objects are kept."""
    return request.app.state.rooms.database


async def blobs(request: Request) -> Blobs:
    """Where the content of files is kept."""
    return request.app.state.rooms.blobs


async def jobs(request: Request) -> JobQueue:
    """Where durable jobs are asked for."""
    return request.app.state.rooms.jobs


async def search(request: Request) -> "Search":
    """What searches vector stores."""
    return request.app.state.rooms.search


async def data_sources(request: Request) -> "DataSources":
    """What searches the data sources that chat requests name."""
    return request.app.state.rooms.data_sources


ModelsDep = Annotated[Models, Depends(models)]
StoredCompletionsDep = Annotated[StoredCompletions, Depends(stored_completions)]
GenerationDep = Annotated[Generation, Depends(generation)]
ModeratorDep = Annotated[Moderator, Depends(moderator)]
DatabaseDep = Annotated[Database, Depends(database)]
BlobsDep = Annotated[Blobs, Depends(blobs)]
JobsDep = Annotated[JobQueue, Depends(jobs)]
SearchDep = Annotated["Search", Depends(search)]
DataSourcesDep = Annotated["DataSources", Depends(data_sources)]
