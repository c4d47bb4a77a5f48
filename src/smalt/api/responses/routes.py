"""Responses: making them, now or in the background; what is kept has its routes beside."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated

import orjson
from fastapi import Depends, Request, Response

from smalt.api.dependencies import GenerationDep
from smalt.api.responses import stored_routes
from smalt.api.responses.dialects import spelled
from smalt.api.responses.execution import Begun, Runs, new_response
from smalt.api.responses.plan import Json as JsonObject
from smalt.api.responses.plan import Plan
from smalt.api.responses.planning import Planner
from smalt.api.responses.showing import Showing
from smalt.api.responses.stored import ResponsesDep
from smalt.api.responses.streaming_later import failed as failed_later
from smalt.api.responses.streaming_later import followed, followed_bytes
from smalt.api.responses.writer import ResponseWriter
from smalt.http.answers import Json
from smalt.http.call import Call, Mount
from smalt.http.dependencies import CurrentCall
from smalt.http.event_stream import EventStream
from smalt.http.event_stream import event as server_sent_event
from smalt.http.openapi import event_stream_of
from smalt.http.routing import Router
from smalt.schemas.responses import AzureCreateResponse, AzureResponse, ResponseStreamEvent
from smalt.store.responses import Responses

router = Router(tags=["responses"])


async def runs(request: Request) -> Runs:
    """The responses that are being made in this process."""
    return request.app.state.rooms.runs


async def planner(request: Request, responses: ResponsesDep) -> Planner:
    """What understands requests."""
    return Planner(request.app.state.rooms, responses)


RunsDep = Annotated[Runs, Depends(runs)]
PlannerDep = Annotated[Planner, Depends(planner)]


@router.post(
    "/responses",
    operation_id="createResponse",
    response_model=AzureResponse,
    responses=event_stream_of(ResponseStreamEvent),
    metered=True,
)
async def create_response(
    body: AzureCreateResponse,
    call: CurrentCall,
    planner: PlannerDep,
    runs: RunsDep,
    responses: ResponsesDep,
    generation: GenerationDep,
) -> Response:
    """Answer a conversation, with tools if need be: whole, as a stream, or in the background."""
    plan = await planner.plan(body, call.caller.project, is_azure=call.is_azure)
    if plan.is_background:
        return await _begun_in_background(plan, call, responses)
    begun = runs.begin(plan, generation, call)
    if not body.stream:
        return Json(Showing(plan.include).response(await begun.answer()))
    return EventStream(_streamed(begun, call.mount), failure=partial(_failed, begun))


async def _begun_in_background(plan: Plan, call: Call, responses: Responses) -> Response:
    """The response as it waits for its job, or the stream of what the job makes of it."""
    told: list[JsonObject] = []
    ResponseWriter(plan.response, told.append).queue()
    await responses.begin(new_response(plan, call, events=told))
    await asyncio.gather(*(tool.close() for tool in plan.tools))
    showing = Showing(plan.include)
    if not plan.request.stream:
        return Json(showing.response(plan.response))
    batches = followed(responses, await responses.get(plan.project, plan.id))
    stream = followed_bytes(batches, showing, call.mount, is_obfuscated=_is_obfuscated(plan))
    return EventStream(stream, failure=failed_later)


async def _streamed(begun: Begun, mount: Mount) -> AsyncGenerator[bytes]:
    """The events of a run as this client is to see them."""
    showing = Showing(begun.plan.include)
    is_obfuscated = _is_obfuscated(begun.plan)
    async with aclosing(begun.batches()) as batches:
        async for events in batches:
            yield spelled([showing.event(event) for event in events], mount, is_obfuscated=is_obfuscated)


def _is_obfuscated(plan: Plan) -> bool:
    options = plan.request.stream_options
    return options is None or options.include_obfuscation is not False


def _failed(begun: Begun, envelope: bytes) -> bytes:
    """What ended the stream of a response, though perhaps not the response, as the stream's last event."""
    error = orjson.loads(envelope)["error"]
    told = {name: error[name] for name in ("code", "message", "param")}
    event = {"type": "error", **told, "sequence_number": begun.journal.next_number}
    return server_sent_event("error", orjson.dumps(event))


router.routes.extend(stored_routes.router.routes)
