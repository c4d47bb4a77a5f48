"""What engines can do with sound: putting speech into words, and speaking."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from smalt.core.errors import InvalidRequest, UnsupportedValue
from smalt.engines.protocols import Serving, TokenLogprob

AudioFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


FILE_FORMATS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
"""What a recording may be, as the API names it."""


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """How speech is told from silence: a probability, and what belongs to the speech around it, in milliseconds."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 200


@dataclass(frozen=True, slots=True)
class KnownSpeaker:
    """A speaker's name, and a recording of the voice as a data URL."""

    name: str
    reference: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A file with sound in it, and what is wanted of it.

    `language` is an ISO-639-1 code, None to find out. `voice_activity` cuts the sound into chunks at its silences.
    `temperature` 0 begins there and rises by itself where an answer is improbable. Without `with_times` only the text
    counts, and `stream` says that it is wanted as it comes: an engine that is always as quick may ignore both.
    `with_speakers` wants a speaker with each segment; those that are known are called by their names.
    """

    content: bytes
    filename: str
    task: Literal["transcribe", "translate"] = "transcribe"
    language: str | None = None
    prompt: str | None = None
    temperature: float = 0.0
    voice_activity: VoiceActivity | None = None
    with_words: bool = False
    with_logprobs: bool = False
    with_speakers: bool = False
    known_speakers: tuple[KnownSpeaker, ...] = ()
    max_hours: float | None = None
    with_times: bool = True
    stream: bool = False


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word, with the spaces and marks around it, and its times in seconds."""

    word: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class TranscriptSegment:
    """A stretch of speech in words; times in seconds from the beginning, `seek` in frames of 10 ms.

    The text begins with the space that parts it from what came before, where the language has spaces.
    """

    text: str
    start: float
    end: float
    seek: int = 0
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0
    words: tuple[SpokenWord, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class TranscriptEnd:
    """What is known in the end: the language in English ("english"), the seconds of sound, and the tokens.

    `audio_tokens` are the positions that the encoder made of the sound, `prompt_tokens` those of the prompt's text.
    """

    language: str
    duration: float
    audio_tokens: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TranscriptProgress:
    """More of the recording was gone through, and nothing was said there."""


TranscriptEvent = Serving | TranscriptSegment | TranscriptProgress | TranscriptEnd


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text to be spoken; `speed` is a factor that leaves the pitch alone."""

    text: str
    voice: str
    format: AudioFormat = "mp3"
    speed: float = 1.0
    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechAudio:
    """The next bytes of a file with speech in it; `pcm` is 16-bit little-endian, mono, 24,000 samples a second."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SpeechEnd:
    """What was spoken in the end: tokens of the text, and tokens and seconds of the sound."""

    input_tokens: int
    output_tokens: int
    duration: float


SpeechEvent = Serving | SpeechAudio | SpeechEnd


def invalid_file() -> InvalidRequest:
    """The API's words for a file that holds no sound, or none that can be read."""
    return InvalidRequest(f"Invalid file format. Supported formats: {list(FILE_FORMATS)}", param="file")


def speakers_unknown(model: str) -> UnsupportedValue:
    """The refusal to tell speakers apart, which says what can."""
    return UnsupportedValue(
        f"The model '{model}' does not tell speakers apart. Name one that does, such as a deployment of the engine "
        "upstream for a server's gpt-4o-transcribe-diarize (docs/api/audio.md, Speakers), or ask for response_format "
        "json or verbose_json.",
        param="response_format",
    )


def recording_too_long(most_hours: float) -> InvalidRequest:
    """The refusal of a recording that is longer than it may be."""
    return InvalidRequest(
        f"The recording is longer than {most_hours:g} hours, the most that is transcribed at once. Cut it in parts.",
        param="file",
    )


@runtime_checkable
class TranscriptionEngine(Protocol):
    """Puts speech into words."""

    def transcribe(self, recording: Recording) -> AsyncIterator[TranscriptEvent]:
        """Stream the segments of a recording as they are heard, and the end; silence has no segments.

        A request may take `limits.request_timeout_seconds` between two events, so an engine that hears long recordings
        yields `TranscriptProgress` where it finds no words. Raises `InvalidRequest` with the `param` for what cannot be
        decoded or honoured; a recording `with_speakers` is refused by engines that do not tell them apart. Closing the
        iterator early stops the work.
        """
        ...


@runtime_checkable
class SpeechEngine(Protocol):
    """Speaks a text."""

    def speak(self, utterance: Utterance) -> AsyncIterator[SpeechEvent]:
        """Stream the sound of a text as it is made, a sentence or less at a time, and the end.

        All data together is one file of the utterance's format. Raises `InvalidRequest` for a voice that nobody has,
        naming those there are. Closing the iterator early stops the work.
        """
        ...
