"""Hears the recordings in a conversation for chat models that only read, and puts what is said in their place."""

import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from smalt.api.accounting import AUDIO_TOKENS_A_SECOND
from smalt.api.closing import Closing
from smalt.core.errors import InvalidRequest, ModelNotFound, TooLarge, UnsupportedValue
from smalt.core.settings import AudioSettings
from smalt.engines.audio import Recording, TranscriptEnd, TranscriptionEngine, TranscriptSegment
from smalt.engines.protocols import ChatEngine, Hearing, Serving, Usage
from smalt.engines.registry import engine_class
from smalt.models import Models
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionRequestMessageContentPartAudio,
    ChatCompletionRequestMessageContentPartText,
    ChatCompletionRequestUserMessage,
    ChatCompletionRequestUserMessageContentPart,
)

Part = ChatCompletionRequestUserMessageContentPart
Spend = Callable[[str, Usage], None]
"""Books what a model has used: its name and the tokens."""

REMEMBERED = 128
"""How many transcripts are remembered: clients send a conversation's recordings again with every turn."""

SILENT = "(A recording in which nobody speaks.)"
BESIDE_TEXT = 'Transcript of the recording: "{said}"'


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said in a recording, and the tokens of its sound."""

    text: str
    audio_tokens: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A conversation for a model that reads; `audio_tokens` are those of its recordings, remembered ones too."""

    body: AzureCreateChatCompletionRequest
    audio_tokens: int = 0


class Ears:
    """Hears recordings with the transcription model of the settings, and remembers the latest."""

    def __init__(self, models: Models, settings: AudioSettings) -> None:
        self._models = models
        self._settings = settings
        self._remembered: OrderedDict[bytes, Transcript] = OrderedDict()

    async def hear(self, body: AzureCreateChatCompletionRequest, spend: Spend) -> Heard:
        """The conversation with words instead of recordings, unless its model hears them itself.

        What is heard now is booked, also when a client leaves or a later recording is refused.
        """
        if not any(_recordings(body)) or await self._hears(body.model):
            return Heard(body)
        told: dict[tuple[int, int], Transcript] = {}
        for position, place, part in _recordings(body):
            param = f"messages[{position}].content[{place}].input_audio"
            content = self._content(part, f"{param}.data")
            digest = sha256(content).digest()
            transcript = self._remembered.get(digest)
            if transcript is None:
                transcript = await self._transcript(
                    Recording(
                        content,
                        f"recording.{part.input_audio.format}",
                        max_hours=self._settings.hours,
                        with_times=False,
                    ),
                    param,
                    spend,
                )
            self._remember(digest, transcript)
            told[position, place] = transcript
        return Heard(_retold(body, told), sum(one.audio_tokens for one in told.values()))

    async def _hears(self, model: str) -> bool:
        """Whether the chat model takes recordings; only engines that might are opened to ask them."""
        if not hasattr(engine_class(self._models.find(model).engine), "hears"):
            return False
        async with self._models.lease(model, ChatEngine) as engine:
            return isinstance(engine, Hearing) and engine.hears

    def _content(self, part: ChatCompletionRequestMessageContentPartAudio, param: str) -> bytes:
        try:
            content = base64.b64decode(part.input_audio.data, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidRequest(
                f"Invalid '{param}': expected base64-encoded audio bytes.", param=param, code="invalid_value"
            ) from None
        if not content:
            raise _not_valid(part.input_audio.format, param)
        most = self._settings.upload_bytes
        if len(content) > most:
            raise TooLarge(
                f"The recording has {len(content)} bytes; the most is {most}. Send less, or raise audio.upload_bytes.",
                param=param,
            )
        return content

    async def _transcript(self, recording: Recording, param: str, spend: Spend) -> Transcript:
        name = self._settings.transcription_model
        try:
            async with self._models.lease(name, TranscriptionEngine) as engine:
                return await _heard(engine, recording, self._models.find(name).model, spend)
        except ModelNotFound as error:
            raise UnsupportedValue(
                f"Unsupported value: '{param}' is not supported with this model. It cannot hear, and there is no "
                f"'{name}' to hear for it: set audio.transcription_model.",
                param=param,
            ) from error
        except InvalidRequest as error:
            if error.param == "file":
                raise _refused(error, recording, f"{param}.data") from error
            raise

    def _remember(self, digest: bytes, transcript: Transcript) -> None:
        self._remembered[digest] = transcript
        self._remembered.move_to_end(digest)
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)


async def _heard(engine: TranscriptionEngine, recording: Recording, model: str, spend: Spend) -> Transcript:
    """All that the engine hears; until it tells its count, what was heard is estimated."""
    said: list[str] = []
    usage: Usage | None = None
    written = 0
    try:
        async with Closing(engine.transcribe(recording)) as events:
            async for event in events:
                if isinstance(event, Serving):
                    model = event.model
                elif isinstance(event, TranscriptSegment):
                    said.append(event.text)
                    written += len(event.tokens)
                    usage = Usage(round(event.end * AUDIO_TOKENS_A_SECOND), written)
                elif isinstance(event, TranscriptEnd):
                    usage = Usage(event.audio_tokens + event.prompt_tokens, event.completion_tokens)
    finally:
        if usage is not None:
            spend(model, usage)
    return Transcript("".join(said).strip(), 0 if usage is None else usage.prompt_tokens)


def _recordings(
    body: AzureCreateChatCompletionRequest,
) -> Iterator[tuple[int, int, ChatCompletionRequestMessageContentPartAudio]]:
    """Every recording, with the positions of its message and of its part."""
    for position, message in enumerate(body.messages):
        for place, part in enumerate(message.content if isinstance(message.content, list) else ()):
            if isinstance(part, ChatCompletionRequestMessageContentPartAudio):
                yield position, place, part


def _retold(
    body: AzureCreateChatCompletionRequest, told: Mapping[tuple[int, int], Transcript]
) -> AzureCreateChatCompletionRequest:
    messages = list(body.messages)
    for position in {position for position, _ in told}:
        message = messages[position]
        if isinstance(message, ChatCompletionRequestUserMessage) and isinstance(message.content, list):
            transcripts = {place: transcript for (at, place), transcript in told.items() if at == position}
            messages[position] = message.model_copy(update={"content": _parts(message.content, transcripts)})
    return body.model_copy(update={"messages": messages})


def _parts(content: Sequence[Part], transcripts: Mapping[int, Transcript]) -> list[Part]:
    """The parts with words for recordings: as if they were typed, unless a text beside them is about them."""
    is_about_them = any(isinstance(part, ChatCompletionRequestMessageContentPartText) for part in content)
    parts = list(content)
    for place, transcript in transcripts.items():
        said = transcript.text
        words = BESIDE_TEXT.format(said=said) if said and is_about_them else said or SILENT
        parts[place] = ChatCompletionRequestMessageContentPartText(type="text", text=words)
    return parts


def _refused(error: InvalidRequest, recording: Recording, param: str) -> InvalidRequest:
    """What the engine says against a file, said of a part of a message."""
    if error.message.startswith("Invalid file format"):
        return _not_valid(recording.filename.rpartition(".")[2], param)
    return InvalidRequest(error.message, param=param, code=error.code)


def _not_valid(audio_format: str, param: str) -> InvalidRequest:
    return InvalidRequest(
        f"The data provided for 'input_audio' is not of valid {audio_format} format.", param=param, code="invalid_value"
    )
