"""The wire vocabulary of transcriptions and translations: recordings in, words out."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from typing_extensions import TypeAliasType

from smalt.schemas.wire import OBJECT, STRING, Request, Wire, by_kind

MOST_MILLISECONDS = 2**31 - 1

Binary = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]
Probability = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[int, Field(ge=0, le=MOST_MILLISECONDS)]
SamplingTemperature = Annotated[float, Field(ge=0, le=1)]

AudioTaskLabel = TypeAliasType("AudioTaskLabel", Literal["transcribe", "translate"])
AudioResponseFormat = TypeAliasType("AudioResponseFormat", Literal["json", "text", "srt", "verbose_json", "vtt"])
TranscriptionAudioResponseFormat = TypeAliasType(
    "TranscriptionAudioResponseFormat", Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
)
TranslationAudioResponseFormat = TypeAliasType(
    "TranslationAudioResponseFormat", Literal["json", "text", "srt", "verbose_json", "vtt"]
)
TranscriptionInclude = TypeAliasType("TranscriptionInclude", Literal["logprobs"])
TimestampGranularity = Literal["word", "segment"]
MOST_KNOWN_SPEAKERS = 4
KnownSpeakers = Annotated[list[str], Field(max_length=MOST_KNOWN_SPEAKERS)]


class VadConfig(Request):
    """How speech is told from silence, where a recording is cut into chunks."""

    type: Literal["server_vad"]
    prefix_padding_ms: Milliseconds = Field(300, description="Sound kept before the speech, in milliseconds.")
    silence_duration_ms: Milliseconds = Field(200, description="Silence that ends a stretch of speech.")
    threshold: Probability = Field(0.5, description="How probable speech must be; higher for noisy places.")


TranscriptionChunkingStrategy = TypeAliasType(
    "TranscriptionChunkingStrategy",
    Annotated[
        Annotated[Literal["auto"], Tag(STRING)] | Annotated[VadConfig, Tag(OBJECT)], by_kind("a string", "an object")
    ],
)


class AudioForm(Request):
    """What the forms of transcriptions and translations have in common; fields may be named without their brackets."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    file: Binary = Field(description="A recording as flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav or webm.")
    filename: str | None = Field(None, description="The recording's name, where the part with it has none.")
    model: str | None = Field(
        None, description="What listens; /v1 asks for it, elsewhere audio.transcription_model is the default."
    )
    prompt: str | None = Field(None, description="What was said before, or the names and words to expect.")
    temperature: SamplingTemperature = Field(
        0.0, description="0 rises by itself where an answer is improbable; any other is kept."
    )


class AzureCreateTranscriptionRequestMultiPart(AudioForm):
    """Asks for the words of a recording."""

    response_format: TranscriptionAudioResponseFormat = "json"
    language: str | None = Field(None, description="What is spoken, in ISO-639-1 (`en`); found out when absent.")
    timestamp_granularities: list[TimestampGranularity] | None = Field(
        None,
        alias="timestamp_granularities[]",
        description="What verbose_json gives times for.",
        json_schema_extra={"default": ["segment"]},
    )
    include: list[TranscriptionInclude] | None = Field(
        None, alias="include[]", description="`logprobs`: the tokens with their log-probabilities, with json only."
    )
    chunking_strategy: TranscriptionChunkingStrategy | None = Field(
        None, description="Cut at silences found by voice activity: `auto`, or with values of one's own."
    )
    stream: bool = Field(default=False, description="Send the words as events while they are heard; json or text.")
    languages: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, alias="languages[]", description="Instead of `language`; no more than one can be kept to."
    )
    keywords: list[str] | None = Field(
        None, alias="keywords[]", description="Words to expect; they are put behind the prompt."
    )
    known_speaker_names: KnownSpeakers | None = Field(
        None, alias="known_speaker_names[]", description="Whose voices the references are; diarized_json only."
    )
    known_speaker_references: KnownSpeakers | None = Field(
        None, alias="known_speaker_references[]", description="A recording of each named speaker, as a data URL."
    )


class AzureCreateTranslationRequestMultiPart(AudioForm):
    """Asks for the words of a recording in English, whatever was spoken."""

    response_format: TranslationAudioResponseFormat = "json"


class TranscriptionWord(Wire):
    """A word and its times in seconds."""

    word: str
    start: float
    end: float


class TranscriptionSegment(Wire):
    """A stretch of a transcript, and how sure the model was; times in seconds, `seek` in frames of 10 ms."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class AudioTranslationSegment(TranscriptionSegment):
    """A stretch of a translation, and how sure the model was; times in seconds, `seek` in frames of 10 ms."""


class TranscriptionDiarizedSegment(Wire):
    """What one speaker said at a stretch."""

    type: Literal["transcript.text.segment"]
    id: str
    start: float
    end: float
    text: str
    speaker: str


class TranscriptionLogprob(Wire):
    """A token of a transcript, its natural-log probability and its bytes."""

    token: str
    logprob: float
    bytes: list[int] | None


class TranscriptTextUsageInputDetails(Wire):
    """What the input's tokens are made of."""

    text_tokens: int
    audio_tokens: int


class TranscriptTextUsageTokens(Wire):
    """Usage of models that count tokens."""

    type: Literal["tokens"]
    total_tokens: int
    input_tokens: int
    input_token_details: TranscriptTextUsageInputDetails
    output_tokens: int


class TranscriptTextUsageDuration(Wire):
    """Usage of models that count seconds."""

    type: Literal["duration"]
    seconds: float


TranscriptTextUsage = Annotated[TranscriptTextUsageTokens | TranscriptTextUsageDuration, Field(discriminator="type")]


class AzureAudioTranscriptionResponse(Wire):
    """The words of a recording: `text` alone with json, all else with verbose_json or where it was asked for."""

    text: str
    task: AudioTaskLabel | None = None
    language: str | None = None
    duration: float | None = None
    segments: list[TranscriptionSegment] | list[TranscriptionDiarizedSegment] | None = None
    words: list[TranscriptionWord] | None = None
    logprobs: list[TranscriptionLogprob] | None = None
    usage: TranscriptTextUsage | None = None


class AzureAudioTranslationResponse(Wire):
    """The words of a recording in English: `text` alone with json, all else with verbose_json."""

    text: str
    task: AudioTaskLabel | None = None
    language: str | None = None
    duration: float | None = None
    segments: list[AudioTranslationSegment] | None = None


class TranscriptTextDeltaEvent(Wire):
    """The next words of a transcript."""

    type: Literal["transcript.text.delta"]
    delta: str
    logprobs: list[TranscriptionLogprob] | None = None
    segment_id: str | None = None


class TranscriptTextSegmentEvent(TranscriptionDiarizedSegment):
    """What one speaker said at a stretch, in a stream that tells speakers apart."""


class TranscriptTextDoneEvent(Wire):
    """The whole transcript, at the end of its stream."""

    type: Literal["transcript.text.done"]
    text: str
    logprobs: list[TranscriptionLogprob] | None = None
    usage: TranscriptTextUsageTokens | None = None


CreateTranscriptionResponseStreamEvent = TypeAliasType(
    "CreateTranscriptionResponseStreamEvent",
    Annotated[TranscriptTextDeltaEvent | TranscriptTextSegmentEvent | TranscriptTextDoneEvent, Discriminator("type")],
)
