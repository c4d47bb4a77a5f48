"""What an operation may ask of the rooms below: models, stored completions, the content filter."""

from typing import Annotated

from fastapi import Depends, Request

from smalt.api.generation import Generation
from smalt.models import Models
from smalt.store.stored_completions import StoredCompletions


async def models(request: Request) -> Models:
    """The models that this server answers with."""
    return request.app.state.models


async def stored_completions(request: Request) -> StoredCompletions:
    """The completions that were kept."""
    return StoredCompletions(request.app.state.database)


async def generation(request: Request) -> Generation:
    """What generates answers, past the app's content filter."""
    return Generation(request.app.state.models, request.app.state.content_filter)


ModelsDep = Annotated[Models, Depends(models)]
StoredCompletionsDep = Annotated[StoredCompletions, Depends(stored_completions)]
GenerationDep = Annotated[Generation, Depends(generation)]
