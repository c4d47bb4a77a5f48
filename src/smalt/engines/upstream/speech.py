"""Asks for speech in OpenAI's form, and reads it: the bytes of a file, or events that hold them."""

from base64 import b64decode
from typing import Any

from smalt.core.errors import UpstreamFailed
from smalt.engines.audio import SpeechAudio, SpeechEnd, Utterance

Json = dict[str, Any]

BYTES_PER_TOKEN = 4


def request(utterance: Utterance, model: str, *, as_events: bool) -> Json:
    """The body that asks for a speech."""
    body: Json = {
        "model": model,
        "input": utterance.text,
        "voice": utterance.voice,
        "response_format": utterance.format,
    }
    if utterance.speed != 1.0:
        body["speed"] = utterance.speed
    if utterance.instructions:
        body["instructions"] = utterance.instructions
    if as_events:
        body["stream_format"] = "sse"
    return body


def spoken(event: Json) -> SpeechAudio | SpeechEnd | None:
    """The sound in an event, or the usage; raises when it has another shape."""
    try:
        if event["type"] == "speech.audio.delta":
            return SpeechAudio(b64decode(event["audio"]))
        if event["type"] == "speech.audio.done":
            usage: Json = event.get("usage") or {}
            return SpeechEnd(usage.get("input_tokens") or 0, usage.get("output_tokens") or 0, 0.0)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"The upstream's speech does not have the shape of OpenAI's ({type(error).__name__})."
        raise UpstreamFailed(message, code="upstream_failed") from None
    return None


def estimated_end(utterance: Utterance) -> SpeechEnd:
    """What is known of a speech that came as a bare file: about how many tokens its text has."""
    text = f"{utterance.text}{utterance.instructions or ''}"
    return SpeechEnd(-(-len(text.encode()) // BYTES_PER_TOKEN), 0, 0.0)
