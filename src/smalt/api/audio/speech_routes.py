"""Speech."""

from typing import Any

from fastapi import Response

from smalt.api.audio.speech import MEDIA_TYPES, AudioStream, sound, sound_events, spoken, utterance_of
from smalt.api.dependencies import ModelsDep
from smalt.http.dependencies import CurrentCall
from smalt.http.event_stream import EventStream
from smalt.http.openapi import event_stream_of, form_of
from smalt.http.routing import Router
from smalt.schemas.speech import AzureCreateSpeechRequestMultiPart, CreateSpeechResponseStreamEvent

router = Router(tags=["audio"])

SOUND: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/octet-stream": SOUND,
            **{media_type.decode(): SOUND for media_type in MEDIA_TYPES.values()},
            **event_stream_of(CreateSpeechResponseStreamEvent)[200]["content"],
        }
    }
}


@router.post(
    "/audio/speech",
    operation_id="createSpeech",
    response_class=Response,
    responses=ANSWERS,
    openapi_extra=form_of(AzureCreateSpeechRequestMultiPart),
    deployment=True,
    metered=True,
    forms=True,
)
async def create_speech(body: AzureCreateSpeechRequestMultiPart, call: CurrentCall, models: ModelsDep) -> Response:
    """Speak a text: the sound is sent while it is made, as a file or in server-sent events."""
    utterance = utterance_of(body)
    events = spoken(models, body.model, utterance, call=call)
    if body.stream_format == "sse":
        return EventStream(sound_events(events))
    return AudioStream(sound(events), utterance.format)
