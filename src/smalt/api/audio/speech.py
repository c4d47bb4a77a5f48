"""Has a text spoken, and sends the sound while it is made."""

from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from smalt.api.accounting import SpeechTally
from smalt.api.closing import Closing
from smalt.engines.audio import AudioFormat, SpeechAudio, SpeechEnd, SpeechEngine, SpeechEvent, Utterance
from smalt.http.call import Call, call_of
from smalt.http.event_stream import DONE, EventStream, data
from smalt.http.interruption import ClientGone, Interruptible
from smalt.models import Models
from smalt.schemas.speech import AzureCreateSpeechRequestMultiPart

MEDIA_TYPES: Final[dict[AudioFormat, bytes]] = {
    "mp3": b"audio/mpeg",
    "opus": b"audio/opus",
    "aac": b"audio/aac",
    "flac": b"audio/flac",
    "wav": b"audio/wav",
    "pcm": b"audio/pcm",
}


class AudioStream(EventStream):
    """Sends a file of sound while it is made.

    As with events, a failure to begin has a status of its own. A later one breaks the connection off: a file that just
    ended would pass for the whole of it.
    """

    def __init__(self, chunks: AsyncIterator[bytes], audio_format: AudioFormat) -> None:
        super().__init__(chunks)
        self.raw_headers = [(b"content-type", MEDIA_TYPES[audio_format])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the sound; raise what went wrong."""
        call = call_of(scope)
        try:
            async with Interruptible(scope) as work:
                work.watch(receive)
                await self._forward(call, send)
        except Exception as error:
            if call.first_chunk_at is None:
                raise
            call.failed_with = error
            if isinstance(error, ClientGone):
                return
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def utterance_of(body: AzureCreateSpeechRequestMultiPart) -> Utterance:
    """What a request wants said."""
    return Utterance(
        body.input,
        body.voice if isinstance(body.voice, str) else body.voice.id,
        format=body.response_format or "mp3",
        speed=1.0 if body.speed is None else body.speed,
        instructions=body.instructions or None,
    )


async def spoken(models: Models, model: str, utterance: Utterance, *, call: Call) -> AsyncGenerator[SpeechEvent]:
    """What an engine says, as it comes; what it costs is reported however the stream ends."""
    tally = SpeechTally(models.find(model).model, utterance)
    try:
        async with (
            models.lease(model, SpeechEngine) as engine,
            Closing(engine.speak(utterance)) as events,
        ):
            async for event in events:
                tally.see(event)
                yield event
    finally:
        if used := tally.used():
            call.spend(tally.model, prompt_tokens=used.prompt_tokens, completion_tokens=used.completion_tokens)


async def sound(events: AsyncGenerator[SpeechEvent]) -> AsyncGenerator[bytes]:
    """The bytes of the file."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, SpeechAudio) and event.data:
                yield event.data


async def sound_events(events: AsyncGenerator[SpeechEvent]) -> AsyncGenerator[bytes]:
    """The same bytes in server-sent events, and the usage behind them."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, SpeechAudio) and event.data:
                yield _event(type="speech.audio.delta", audio=b64encode(event.data).decode())
            elif isinstance(event, SpeechEnd):
                yield _event(type="speech.audio.done", usage=_usage(event))
    yield DONE


def _usage(end: SpeechEnd) -> dict[str, int]:
    return {
        "input_tokens": end.input_tokens,
        "output_tokens": end.output_tokens,
        "total_tokens": end.input_tokens + end.output_tokens,
    }


def _event(**fields: Any) -> bytes:
    return data(orjson.dumps(fields))
