"""Transcriptions and translations."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response

from smalt.api.audio.asking import Asked, asked_transcription, asked_translation
from smalt.api.audio.listening import Listening
from smalt.api.audio.recording_form import read_form
from smalt.api.audio.transcript import Transcript
from smalt.api.audio.transcript_answers import answer
from smalt.api.dependencies import ModelsDep
from smalt.http.body import Body
from smalt.http.call import Call
from smalt.http.dependencies import CurrentCall
from smalt.http.event_stream import EventStream
from smalt.http.interruption import Interruptible
from smalt.http.openapi import event_stream_of, form_of
from smalt.http.routing import Router
from smalt.models import Models
from smalt.schemas.audio import (
    AzureAudioTranscriptionResponse,
    AzureAudioTranslationResponse,
    AzureCreateTranscriptionRequestMultiPart,
    AzureCreateTranslationRequestMultiPart,
    CreateTranscriptionResponseStreamEvent,
)

router = Router(tags=["audio"])

PLAIN_TEXT: Mapping[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
EVENTS: Mapping[str, Any] = event_stream_of(CreateTranscriptionResponseStreamEvent)[200]["content"]


@router.post(
    "/audio/transcriptions",
    operation_id="createTranscription",
    response_model=AzureAudioTranscriptionResponse,
    responses={200: {"content": {**PLAIN_TEXT, **EVENTS}}},
    openapi_extra=form_of(AzureCreateTranscriptionRequestMultiPart),
    deployment=True,
    metered=True,
    streamed=True,
)
async def create_transcription(body: Body, call: CurrentCall, models: ModelsDep) -> Response:
    """Put a recording into words, whole or as a stream."""
    form = await read_form(body, AzureCreateTranscriptionRequestMultiPart)
    asked = asked_transcription(form, call, body.app.state.settings.audio)
    listening = _listening(asked, call, models)
    return EventStream(listening.events()) if asked.stream else await _whole(listening, body)


@router.post(
    "/audio/translations",
    operation_id="createTranslation",
    response_model=AzureAudioTranslationResponse,
    responses={200: {"content": {**PLAIN_TEXT}}},
    openapi_extra=form_of(AzureCreateTranslationRequestMultiPart),
    deployment=True,
    metered=True,
    streamed=True,
)
async def create_translation(body: Body, call: CurrentCall, models: ModelsDep) -> Response:
    """Put a recording in any language into English words."""
    form = await read_form(body, AzureCreateTranslationRequestMultiPart)
    asked = asked_translation(form, call, body.app.state.settings.audio)
    return await _whole(_listening(asked, call, models), body)


def _listening(asked: Asked, call: Call, models: Models) -> Listening:
    return Listening(models, asked, Transcript(models.find(asked.model).model), call)


async def _whole(listening: Listening, body: Body) -> Response:
    """The whole answer; a client that goes meanwhile stops the work, as it would for any other body."""
    async with Interruptible(body.scope) as work:
        work.watch(body.receive)
        return answer(listening.asked, await listening.whole(), listening.call)
