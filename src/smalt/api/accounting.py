"""Counts what one generation uses, to the end or to where its client left."""

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from smalt.engines.audio import AudioFormat, SpeechAudio, SpeechEnd, SpeechEvent, Utterance
from smalt.engines.protocols import ChatDelta, ChatEvent, CompletionDelta, CompletionEvent, Serving, Usage
from smalt.http.call import Call
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

Asked = AzureCreateChatCompletionRequest | CreateCompletionRequest
BYTES_PER_TOKEN = 4
AUDIO_TOKENS_A_SECOND: Final = 50
"""Whisper makes 1,500 positions of 30 seconds."""

SPEECH_TOKENS_A_SECOND: Final = 20
SPEECH_BYTES_A_SECOND: Final[Mapping[AudioFormat, int]] = {
    "mp3": 12_000,
    "opus": 6_000,
    "aac": 12_000,
    "flac": 24_000,
    "wav": 48_000,
    "pcm": 48_000,
}
"""About as much as a second of speech takes in a file."""


def usage_json(usage: Usage, *, heard_tokens: int = 0, spoken_tokens: int = 0) -> dict[str, Any]:
    """The usage object of chat and text completions; the tokens of sound come on top of the text's."""
    prompt_tokens, completion_tokens = usage.prompt_tokens + heard_tokens, usage.completion_tokens + spoken_tokens
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": heard_tokens},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": spoken_tokens,
            "accepted_prediction_tokens": usage.accepted_prediction_tokens,
            "rejected_prediction_tokens": usage.rejected_prediction_tokens,
        },
    }


class Tally:
    """What has been seen of one answer: who answered, how many pieces, and the engine's own count at the end."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.pieces = 0
        self.usage: Usage | None = None
        self.heard_tokens = 0
        self.spoken_tokens = 0

    def usage_json(self) -> dict[str, Any] | None:
        """The usage object, once the engine has told its count."""
        if self.usage is None:
            return None
        return usage_json(self.usage, heard_tokens=self.heard_tokens, spoken_tokens=self.spoken_tokens)

    def see(self, event: ChatEvent | CompletionEvent) -> None:
        """Take note of one event."""
        if isinstance(event, Usage):
            self.usage = event
        elif isinstance(event, Serving):
            self.model = event.model
        elif isinstance(event, (ChatDelta, CompletionDelta)):
            self.pieces += 1

    def used(self, body: Asked) -> Usage | None:
        """The tokens of the request; None when nothing was answered.

        An engine counts at the very end. When the client left before, a piece counts as a token and four bytes of the
        prompt as another: close enough for limits, and better than nothing.
        """
        if self.usage is None and self.pieces:
            return Usage(prompt_tokens=_estimate(body), completion_tokens=self.pieces)
        return self.usage

    def spend(self, call: Call, body: Asked) -> None:
        """Report the tokens of the request; what its sound took is reported by those who hear and speak."""
        used = self.used(body)
        if used is None:
            return
        security_context = getattr(body, "user_security_context", None)
        call.spend(
            self.model,
            prompt_tokens=used.prompt_tokens,
            completion_tokens=used.completion_tokens,
            cached_tokens=used.cached_tokens,
            reasoning_tokens=used.reasoning_tokens,
            user=body.user,
            user_security_context=security_context and security_context.model_dump(exclude_unset=True),
        )


class SpeechTally:
    """What has been seen of one speech: who spoke, how much of it, and the engine's own count at the end."""

    def __init__(self, model: str, utterance: Utterance) -> None:
        self.model = model
        self._utterance = utterance
        self._bytes = 0
        self._end: SpeechEnd | None = None

    def see(self, event: SpeechEvent) -> None:
        """Take note of one event."""
        if isinstance(event, Serving):
            self.model = event.model
        elif isinstance(event, SpeechAudio):
            self._bytes += len(event.data)
        else:
            self._end = event

    def used(self) -> Usage | None:
        """The tokens of the text and of its sound; None when nothing was spoken.

        Those of a speech that was given up are told from the bytes of the text and of the sound that was made.
        """
        if self._end is not None:
            return Usage(self._end.input_tokens, self._end.output_tokens)
        if not self._bytes:
            return None
        seconds = self._bytes / SPEECH_BYTES_A_SECOND[self._utterance.format]
        read = ceil(len(self._utterance.text.encode()) / BYTES_PER_TOKEN)
        return Usage(read, ceil(seconds * SPEECH_TOKENS_A_SECOND))


def _estimate(body: Asked) -> int:
    fields = {"messages", "tools", "prompt"}
    return -(-len(body.model_dump_json(include=fields, exclude_unset=True)) // BYTES_PER_TOKEN)
