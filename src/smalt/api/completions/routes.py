"""Text completions."""

from fastapi import Response

from smalt.api.completions.chunks import CompletionStamper
from smalt.api.completions.folding import CompletionFold
from smalt.api.dependencies import GenerationDep
from smalt.api.generation import folded, spelled
from smalt.engines.protocols import CompletionEngine
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.event_stream import EventStream
from smalt.http.openapi import event_stream_of
from smalt.http.routing import Router
from smalt.schemas.completions import CreateCompletionRequest, CreateCompletionResponse

router = Router(tags=["completions"])


@router.post(
    "/completions",
    operation_id="createCompletion",
    response_model=CreateCompletionResponse,
    responses=event_stream_of(CreateCompletionResponse),
    deployment=True,
    metered=True,
)
async def create_completion(body: CreateCompletionRequest, call: CurrentCall, generation: GenerationDep) -> Response:
    """Continue a text, or several, whole or as a stream."""
    stamper = CompletionStamper(body, model=generation.models.find(body.model).model)
    chunks = generation.chunks(
        body,
        CompletionEngine,
        lambda engine: engine.complete(body),
        stamper=stamper,
        call=call,
        delivery="streamed" if body.stream else "whole",
    )
    return EventStream(spelled(chunks)) if body.stream else Json(await folded(chunks, CompletionFold()))
