"""Chat completions: making them, and those that were kept."""

import re
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request, Response

from smalt.api.chat.completion import ChatCompletions
from smalt.api.chat.files import PromptFiles
from smalt.api.chat.folding import ChatFold
from smalt.api.chat.on_your_data.extensions import modern
from smalt.api.chat.on_your_data.shapes import Form, shaped, shaped_whole
from smalt.api.chat.speaking import Speakers
from smalt.api.chat.spelling import spelling
from smalt.api.chat.stored import completion_json, completions_json, messages_json
from smalt.api.dependencies import DataSourcesDep, GenerationDep, ModeratorDep, StoredCompletionsDep
from smalt.api.generation import Chunk, folded, spelled
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.event_stream import EventStream
from smalt.http.openapi import event_stream_of
from smalt.http.routing import Router
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    AzureCreateChatCompletionResponse,
    AzureCreateChatCompletionStreamResponse,
    ChatCompletionDeleted,
    ChatCompletionList,
    ChatCompletionMessageList,
    StoredChatCompletion,
    UpdateChatCompletionRequest,
)
from smalt.schemas.on_your_data import ExtensionsChatCompletionsRequest
from smalt.store.spoken_answers import SpokenAnswers

router = Router(tags=["chat"])


METADATA_FILTER = re.compile(r"metadata\[(.+)\]")
METADATA_PARAMETER: dict[str, Any] = {
    "name": "metadata",
    "in": "query",
    "required": False,
    "style": "deepObject",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "description": "Pairs that a completion's metadata must have, written `metadata[key]=value`.",
}


async def speakers(request: Request) -> Speakers:
    """What speaks the answers that are asked for aloud."""
    state = request.app.state
    audio = state.settings.audio
    return Speakers(state.models, audio, SpokenAnswers(state.database, seconds=audio.spoken_seconds))


SpeakersDep = Annotated[Speakers, Depends(speakers)]


async def prompt_files(request: Request) -> PromptFiles:
    """What reads the files in requests; most have none, so that its reader is made when it is needed."""
    return PromptFiles(lambda: request.app.state.rooms.input_files)


PromptFilesDep = Annotated[PromptFiles, Depends(prompt_files)]


async def chat_completions(
    generation: GenerationDep,
    stored: StoredCompletionsDep,
    data_sources: DataSourcesDep,
    speakers: SpeakersDep,
    moderator: ModeratorDep,
    files: PromptFilesDep,
) -> ChatCompletions:
    """What answers chat requests."""
    return ChatCompletions(generation, stored, data_sources, speakers, moderator, files)


async def metadata_filter(request: Request) -> dict[str, str]:
    """The pairs that `metadata[key]=value` in the query asks for."""
    matches = ((METADATA_FILTER.fullmatch(name), value) for name, value in request.query_params.items())
    return {match[1]: value for match, value in matches if match}


ChatCompletionsDep = Annotated[ChatCompletions, Depends(chat_completions)]
MetadataFilter = Annotated[dict[str, str], Depends(metadata_filter)]
Limit = Annotated[int, Query(ge=1, le=100, description="Most items of one page.")]
After = Annotated[str | None, Query(description="The id of the last item of the page before.")]
Order = Annotated[Literal["asc", "desc"], Query(description="By time of creation, upwards or downwards.")]


@router.post(
    "/chat/completions",
    operation_id="createChatCompletion",
    response_model=AzureCreateChatCompletionResponse,
    responses=event_stream_of(AzureCreateChatCompletionStreamResponse),
    deployment=True,
    metered=True,
)
async def create_chat_completion(
    body: AzureCreateChatCompletionRequest, call: CurrentCall, completions: ChatCompletionsDep
) -> Response:
    """Answer a conversation, whole or as a stream."""
    chunks = completions.chunks(body, call)
    if body.data_sources is not None and call.mount == "azure_classic":
        return await _shaped(chunks, "classic", is_stream=bool(body.stream))
    dump = spelling(call)
    return EventStream(spelled(chunks, dump)) if body.stream else Json(dump(await folded(chunks, ChatFold())))


@router.post(
    "/extensions/chat/completions",
    operation_id="createExtensionsChatCompletion",
    mounts={"azure_classic"},
    deployment=True,
    metered=True,
)
async def create_extensions_chat_completion(
    body: ExtensionsChatCompletionsRequest, call: CurrentCall, completions: ChatCompletionsDep
) -> Response:
    """Answer a conversation from a data source, in the form that On Your Data had at first."""
    call.has_data_sources = True
    asked = modern(body)
    return await _shaped(completions.chunks(asked, call), "extensions", is_stream=bool(asked.stream))


async def _shaped(chunks: AsyncGenerator[Chunk], form: Form, *, is_stream: bool) -> Response:
    """The answer in the shape that On Your Data has on classic paths."""
    if is_stream:
        return EventStream(spelled(shaped(chunks, form)))
    return Json(shaped_whole(await folded(chunks, ChatFold()), form))


@router.get(
    "/chat/completions",
    operation_id="listChatCompletions",
    response_model=ChatCompletionList,
    openapi_extra={"parameters": [METADATA_PARAMETER]},
)
async def list_chat_completions(
    call: CurrentCall,
    stored: StoredCompletionsDep,
    metadata: MetadataFilter,
    *,
    model: Annotated[str | None, Query(description="Only what this model answered.")] = None,
    after: After = None,
    limit: Limit = 20,
    order: Order = "asc",
) -> Response:
    """List the completions that were made with `store: true`."""
    project = call.caller.project
    page = await stored.list(project, after=after, limit=limit, order=order, model=model, metadata=metadata)
    return Json(completions_json(page))


@router.get("/chat/completions/{completion_id}", operation_id="getChatCompletion", response_model=StoredChatCompletion)
async def get_chat_completion(completion_id: str, call: CurrentCall, stored: StoredCompletionsDep) -> Response:
    """Return one stored completion."""
    return Json(completion_json(await stored.get(call.caller.project, completion_id)))


@router.post(
    "/chat/completions/{completion_id}", operation_id="updateChatCompletion", response_model=StoredChatCompletion
)
async def update_chat_completion(
    completion_id: str, body: UpdateChatCompletionRequest, call: CurrentCall, stored: StoredCompletionsDep
) -> Response:
    """Replace the metadata of a stored completion."""
    return Json(completion_json(await stored.update(call.caller.project, completion_id, body.metadata or {})))


@router.delete(
    "/chat/completions/{completion_id}", operation_id="deleteChatCompletion", response_model=ChatCompletionDeleted
)
async def delete_chat_completion(completion_id: str, call: CurrentCall, stored: StoredCompletionsDep) -> Response:
    """Forget a stored completion and its messages for good."""
    await stored.delete(call.caller.project, completion_id)
    return Json({"object": "chat.completion.deleted", "id": completion_id, "deleted": True})


@router.get(
    "/chat/completions/{completion_id}/messages",
    operation_id="getChatCompletionMessages",
    response_model=ChatCompletionMessageList,
)
async def get_chat_completion_messages(
    completion_id: str,
    call: CurrentCall,
    stored: StoredCompletionsDep,
    *,
    after: After = None,
    limit: Limit = 20,
    order: Order = "asc",
) -> Response:
    """List the messages that a stored completion answered."""
    page = await stored.messages(call.caller.project, completion_id, after=after, limit=limit, order=order)
    return Json(messages_json(page))
