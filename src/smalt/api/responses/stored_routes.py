"""Responses that are kept: getting, streaming, cancelling and deleting them, and what they were asked with."""

from typing import Annotated

from fastapi import Query, Response

from smalt.api.responses.stored import ResponsesDep, ShowingDep
from smalt.api.responses.streaming_later import failed, followed, followed_bytes, require_stream
from smalt.core.errors import InvalidRequest
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.event_stream import EventStream
from smalt.http.openapi import event_stream_of
from smalt.http.paging import AskedSlice, listed
from smalt.http.routing import Router
from smalt.schemas.responses.events import ResponseStreamEvent
from smalt.schemas.responses.items import ResponseItemList
from smalt.schemas.responses.response import AzureResponse, DeleteResponse

router = Router(tags=["responses"])

IsStream = Annotated[bool, Query(alias="stream", description="Whether to get its events, those to come included.")]
StartingAfter = Annotated[int | None, Query(ge=0, description="The number of the last event that was seen.")]
IsObfuscated = Annotated[
    bool, Query(alias="include_obfuscation", description="Whether deltas are padded, so that their size tells nothing.")
]


@router.get(
    "/responses/{response_id}",
    operation_id="getResponse",
    response_model=AzureResponse,
    responses=event_stream_of(ResponseStreamEvent),
)
async def get_response(
    response_id: str,
    call: CurrentCall,
    responses: ResponsesDep,
    showing: ShowingDep,
    *,
    is_stream: IsStream = False,
    starting_after: StartingAfter = None,
    is_obfuscated: IsObfuscated = True,
) -> Response:
    """Return a response as far as it is, or stream the events of one that was made as a stream in the background."""
    stored = await responses.get(call.caller.project, response_id)
    if not is_stream:
        if starting_after is not None:
            raise InvalidRequest("starting_after is for streams: set stream=true too.", param="starting_after")
        return Json(showing.response(stored.response))
    require_stream(stored)
    batches = followed(responses, stored, -1 if starting_after is None else starting_after)
    stream = followed_bytes(batches, showing, call.mount, is_obfuscated=is_obfuscated)
    return EventStream(stream, failure=failed)


@router.delete("/responses/{response_id}", operation_id="deleteResponse", response_model=DeleteResponse)
async def delete_response(response_id: str, call: CurrentCall, responses: ResponsesDep) -> Response:
    """Forget a response for good; one that is still being made is stopped."""
    await responses.delete(call.caller.project, response_id)
    return Json({"id": response_id, "object": "response.deleted", "deleted": True})


@router.post("/responses/{response_id}/cancel", operation_id="cancelResponse", response_model=AzureResponse)
async def cancel_response(
    response_id: str, call: CurrentCall, responses: ResponsesDep, showing: ShowingDep
) -> Response:
    """Cancel a response in the background; doing so again changes nothing."""
    stored = await responses.cancel(call.caller.project, response_id)
    return Json(showing.response(stored.response))


@router.get("/responses/{response_id}/input_items", operation_id="listInputItems", response_model=ResponseItemList)
async def list_input_items(
    response_id: str, call: CurrentCall, responses: ResponsesDep, showing: ShowingDep, asked: AskedSlice
) -> Response:
    """List what a response was asked with, what came before it in the conversation included."""
    page = await responses.input_items(call.caller.project, response_id, asked)
    return Json(listed(page, showing.item))
