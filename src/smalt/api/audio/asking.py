"""What a form of a transcription or translation asks for, once its fields agree with each other."""

from dataclasses import dataclass

from smalt.api.audio.languages import checked_language
from smalt.core.errors import InvalidRequest, UnsupportedParameter
from smalt.core.settings import AudioSettings
from smalt.engines.audio import KnownSpeaker, Recording, VoiceActivity
from smalt.http.call import Call
from smalt.schemas.audio import (
    AudioForm,
    AzureCreateTranscriptionRequestMultiPart,
    AzureCreateTranslationRequestMultiPart,
    VadConfig,
)

UNNAMED = "recording"
TIMED = frozenset({"srt", "verbose_json", "vtt", "diarized_json"})
STREAMED = frozenset({"json", "text", "diarized_json"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A recording, who shall hear it, and how its words are written."""

    model: str
    recording: Recording
    format: str
    with_segments: bool = True
    stream: bool = False


def asked_transcription(form: AzureCreateTranscriptionRequestMultiPart, call: Call, settings: AudioSettings) -> Asked:
    """What a form of a transcription asks for; raises `InvalidRequest` for fields that do not go together."""
    _require_agreement(form)
    granularities = form.timestamp_granularities or ["segment"]
    recording = Recording(
        content=form.file,
        filename=form.filename or UNNAMED,
        language=_language(form),
        prompt=_prompt(form),
        temperature=form.temperature,
        voice_activity=_voice_activity(form),
        with_words="word" in granularities,
        with_logprobs=bool(form.include),
        with_speakers=form.response_format == "diarized_json",
        known_speakers=_known_speakers(form),
        with_times=form.response_format in TIMED,
        stream=form.stream,
        max_hours=settings.hours,
    )
    return Asked(
        model=_model(form, call, settings.transcription_model),
        recording=recording,
        format=form.response_format,
        with_segments="segment" in granularities,
        stream=form.stream,
    )


def asked_translation(form: AzureCreateTranslationRequestMultiPart, call: Call, settings: AudioSettings) -> Asked:
    """What a form of a translation asks for."""
    recording = Recording(
        content=form.file,
        filename=form.filename or UNNAMED,
        task="translate",
        prompt=form.prompt,
        temperature=form.temperature,
        with_times=form.response_format in TIMED,
        max_hours=settings.hours,
    )
    return Asked(
        model=_model(form, call, settings.transcription_model), recording=recording, format=form.response_format
    )


def _model(form: AudioForm, call: Call, default: str) -> str:
    """The deployment of the path, or the model of the form; only Azure has a default."""
    if call.deployment is not None:
        return call.deployment
    if form.model is None and not call.is_azure:
        message = "Missing required parameter: 'model'."
        raise InvalidRequest(message, param="model", code="missing_required_parameter")
    return form.model or default


def _require_agreement(form: AzureCreateTranscriptionRequestMultiPart) -> None:
    if form.timestamp_granularities and form.response_format != "verbose_json":
        raise _mismatch("timestamp_granularities", form, "verbose_json")
    if form.include and form.response_format != "json":
        raise _mismatch("include", form, "json")
    if form.stream and form.response_format not in STREAMED:
        raise _mismatch("stream", form, "json or text")
    if form.languages and (form.language or len(form.languages) > 1):
        raise UnsupportedParameter("languages", "Name one language, in the field language, or none.")


def _known_speakers(form: AzureCreateTranscriptionRequestMultiPart) -> tuple[KnownSpeaker, ...]:
    names, references = form.known_speaker_names or [], form.known_speaker_references or []
    for param, values in (("known_speaker_names", names), ("known_speaker_references", references)):
        if values and form.response_format != "diarized_json":
            raise _mismatch(param, form, "diarized_json")
    if len(names) != len(references):
        raise InvalidRequest(
            f"There are {len(names)} known_speaker_names and {len(references)} known_speaker_references. Send a "
            "recording for each name.",
            param="known_speaker_references",
        )
    return tuple(map(KnownSpeaker, names, references))


def _mismatch(param: str, form: AzureCreateTranscriptionRequestMultiPart, needed: str) -> InvalidRequest:
    message = f"'{param}' goes only with response_format {needed}, not with {form.response_format}. Change one of them."
    return InvalidRequest(message, param=param, code="unsupported_parameter")


def _language(form: AzureCreateTranscriptionRequestMultiPart) -> str | None:
    code = form.languages[0] if form.languages else form.language
    return None if code is None else checked_language(code)


def _prompt(form: AzureCreateTranscriptionRequestMultiPart) -> str | None:
    """Keywords are told as Whisper is told them: as a list in the prompt."""
    told = [form.prompt or "", ", ".join(form.keywords or [])]
    return " ".join(part for part in told if part) or None


def _voice_activity(form: AzureCreateTranscriptionRequestMultiPart) -> VoiceActivity | None:
    strategy = form.chunking_strategy
    if not isinstance(strategy, VadConfig):
        return None if strategy is None else VoiceActivity()
    return VoiceActivity(
        threshold=strategy.threshold,
        prefix_padding_ms=strategy.prefix_padding_ms,
        silence_duration_ms=strategy.silence_duration_ms,
    )
