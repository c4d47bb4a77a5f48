"""The wire vocabulary of speech: texts in, sound out."""

from typing import Annotated, Any, Literal, cast

import orjson
from pydantic import BeforeValidator, Field, Tag, model_validator
from typing_extensions import TypeAliasType

from smalt.schemas.chat import CustomVoice, VoiceIdsShared
from smalt.schemas.wire import OBJECT, STRING, Body, Wire, by_kind

MOST_CHARACTERS = 4096

SpeechGenerationResponseFormat = TypeAliasType(
    "SpeechGenerationResponseFormat", Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
)
VoiceIdsOrCustomVoice = TypeAliasType(
    "VoiceIdsOrCustomVoice",
    Annotated[
        Annotated[VoiceIdsShared, Field(min_length=1), Tag(STRING)] | Annotated[CustomVoice, Tag(OBJECT)],
        by_kind("a string", "an object"),
    ],
)


def _number(value: Any) -> Any:
    """A number that a form has as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _object(value: Any) -> Any:
    """An object that a form has as JSON."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


class AzureCreateSpeechRequestMultiPart(Body):
    """Asks for a text to be spoken; JSON, or a form with the same fields."""

    model: str
    input: str = Field(min_length=1, max_length=MOST_CHARACTERS, description="The text to speak.")
    voice: Annotated[VoiceIdsOrCustomVoice, BeforeValidator(_object)] = Field(
        description="One of OpenAI's names, or another that the model has."
    )
    instructions: str | None = Field(
        None, max_length=MOST_CHARACTERS, description="How to speak, for models that can be told."
    )
    response_format: SpeechGenerationResponseFormat | None = Field(
        None, description="The format of the sound.", json_schema_extra={"default": "mp3"}
    )
    speed: Annotated[Annotated[float, Field(ge=0.25, le=4.0)] | None, BeforeValidator(_number)] = Field(
        None, description="A factor that leaves the pitch alone.", json_schema_extra={"default": 1.0}
    )
    stream_format: Literal["sse", "audio"] | None = Field(
        None,
        description="Sound as it is made, or server-sent events that hold it.",
        json_schema_extra={"default": "audio"},
    )

    @model_validator(mode="before")
    @classmethod
    def _voice_of_form(cls, value: Any) -> Any:
        """Some clients spell an object in a form as `voice[id]`."""
        if not isinstance(value, dict) or "voice[id]" not in value:
            return cast("Any", value)
        fields = cast("dict[str, Any]", value)
        return {**fields, "voice": {"id": fields["voice[id]"]}}


class SpeechAudioDeltaEvent(Wire):
    """The next of the sound, in base64."""

    type: Literal["speech.audio.delta"]
    audio: str


class SpeechAudioUsage(Wire):
    """The tokens of the text, and those of the sound."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class SpeechAudioDoneEvent(Wire):
    """All was said."""

    type: Literal["speech.audio.done"]
    usage: SpeechAudioUsage


CreateSpeechResponseStreamEvent = TypeAliasType(
    "CreateSpeechResponseStreamEvent",
    Annotated[SpeechAudioDeltaEvent | SpeechAudioDoneEvent, Field(discriminator="type")],
)
