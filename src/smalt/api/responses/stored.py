"""What an operation may ask of responses that are kept, and how it shows them."""

from typing import Annotated

from fastapi import Depends, Query

from smalt.api.dependencies import DatabaseDep, JobsDep
from smalt.api.responses.showing import Showing
from smalt.schemas.responses.request import Includable
from smalt.store.responses import Responses

WISHES = "What to show beside the usual."
Include = Annotated[list[Includable] | None, Query(description=WISHES)]
IncludeInBrackets = Annotated[list[Includable] | None, Query(alias="include[]", description=WISHES)]


async def responses(database: DatabaseDep, jobs: JobsDep) -> Responses:
    """The responses that are kept."""
    return Responses(database, jobs)


async def asked_showing(*, include: Include = None, in_brackets: IncludeInBrackets = None) -> Showing:
    """What the client wants to see; the SDKs write lists with brackets behind their name."""
    return Showing([*(include or ()), *(in_brackets or ())])


ResponsesDep = Annotated[Responses, Depends(responses)]
ShowingDep = Annotated[Showing, Depends(asked_showing)]
