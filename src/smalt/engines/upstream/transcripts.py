"""Asks for transcripts in OpenAI's form, and reads them: whole with times, or as text that may come in pieces."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from smalt.core.errors import UpstreamFailed
from smalt.engines.audio import Recording, SpokenWord, TranscriptEnd, TranscriptSegment, VoiceActivity
from smalt.engines.protocols import TokenLogprob
from smalt.engines.upstream.events import token_logprobs

Json = dict[str, Any]


def fields(recording: Recording, model: str) -> Iterator[tuple[str, str]]:
    """The fields of the form for a recording, but for the file."""
    yield "model", model
    yield "response_format", _format(recording)
    optional = {"language": recording.language, "prompt": recording.prompt}
    yield from ((name, value) for name, value in optional.items() if value)
    if recording.temperature:
        yield "temperature", f"{recording.temperature:g}"
    if recording.with_words:
        yield from (("timestamp_granularities[]", kind) for kind in ("segment", "word"))
    if recording.with_logprobs:
        yield "include[]", "logprobs"
    for speaker in recording.known_speakers:
        yield "known_speaker_names[]", speaker.name
        yield "known_speaker_references[]", speaker.reference
    if recording.stream:
        yield "stream", "true"
    if recording.voice_activity is not None:
        yield from _chunking(recording)


def _format(recording: Recording) -> str:
    """Times are in one format only, which knows neither log-probabilities nor speakers."""
    if recording.with_speakers:
        return "diarized_json"
    return "verbose_json" if recording.with_times and not recording.with_logprobs else "json"


def _chunking(recording: Recording) -> Iterator[tuple[str, str]]:
    activity = recording.voice_activity
    assert activity is not None
    if activity == VoiceActivity():
        # Models that tell speakers apart want it by this name.
        yield "chunking_strategy", "auto"
        return
    told = {
        "type": "server_vad",
        "threshold": f"{activity.threshold:g}",
        "prefix_padding_ms": str(activity.prefix_padding_ms),
        "silence_duration_ms": str(activity.silence_duration_ms),
    }
    yield from ((f"chunking_strategy[{name}]", value) for name, value in told.items())


class TranscriptReading:
    """Reads one transcript: segments as they come, and in the end what is known of the whole."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._told = ""
        self._last: Json | None = None
        self._seconds = 0.0

    def segments(self, answer: Json) -> list[TranscriptSegment]:
        """The segments in one event, or in a whole answer."""
        try:
            return list(self._segments(answer))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _shapeless(error) from None

    def end(self) -> TranscriptEnd:
        """What is known of the whole; raises when the upstream broke off before."""
        if self._last is None:
            raise UpstreamFailed("The upstream's transcript ended before it was complete.", code="upstream_failed")
        try:
            return self._end(self._last)
        except (AttributeError, TypeError, ValueError) as error:
            raise _shapeless(error) from None

    def _end(self, last: Json) -> TranscriptEnd:
        usage: Json = last.get("usage") or {}
        details: Json = usage.get("input_token_details") or {}
        read: int = usage.get("input_tokens") or 0
        written: int = details.get("text_tokens") or 0
        heard = details.get("audio_tokens")
        return TranscriptEnd(
            last.get("language") or self._recording.language or "",
            float(last.get("duration") or usage.get("seconds") or self._seconds),
            audio_tokens=read - written if heard is None else heard,
            prompt_tokens=written,
            completion_tokens=usage.get("output_tokens") or 0,
        )

    def _segments(self, answer: Json) -> Iterator[TranscriptSegment]:
        match answer.get("type"):
            case None if "choices" in answer:  # vLLM streams transcripts as it does chat
                self._last = answer
                said = "".join(choice["delta"].get("content") or "" for choice in answer["choices"])
                yield from [self._said(said, {})] if said else []
            case None:
                self._last = answer
                yield from self._whole(answer)
            case "transcript.text.delta" if not self._recording.with_speakers:
                yield self._said(answer["delta"], answer)
            case "transcript.text.segment":
                segment = self._timed(answer)
                # Speakers' segments may have no spaces around them.
                yield replace(segment, text=f" {segment.text.lstrip()}")
            case "transcript.text.done":
                self._last = answer
                if not self._told:
                    yield from self._whole(answer)
            case _:
                return

    def _whole(self, answer: Json) -> Iterator[TranscriptSegment]:
        parts: list[Json] = answer.get("segments") or []
        segments = _spaced([self._timed(part) for part in parts], answer.get("text") or "")
        words = [_word(word) for word in answer.get("words") or ()]
        if not segments and answer.get("text"):
            end = float(answer.get("duration") or 0.0)
            segments = [replace(self._said(" " + answer["text"].lstrip(), answer), end=end)]
        yield from _with_words(segments, words)

    def _said(self, text: str, answer: Json) -> TranscriptSegment:
        self._told += text
        return TranscriptSegment(text, 0.0, 0.0, logprobs=_logprobs(answer))

    def _timed(self, part: Json) -> TranscriptSegment:
        self._told += part["text"]
        self._seconds = max(self._seconds, float(part["end"]))
        return TranscriptSegment(
            part["text"],
            float(part["start"]),
            float(part["end"]),
            seek=part.get("seek") or 0,
            tokens=tuple(part.get("tokens") or ()),
            temperature=part.get("temperature") or 0.0,
            avg_logprob=part.get("avg_logprob") or 0.0,
            compression_ratio=part.get("compression_ratio") or 1.0,
            no_speech_prob=part.get("no_speech_prob") or 0.0,
            speaker=part.get("speaker"),
        )


def _shapeless(error: Exception) -> UpstreamFailed:
    message = f"The upstream's transcript does not have the shape of OpenAI's ({type(error).__name__})."
    return UpstreamFailed(message, code="upstream_failed")


def _spaced(segments: list[TranscriptSegment], text: str) -> list[TranscriptSegment]:
    """Segments whose texts together are the text of the whole; not all servers leave the spaces in."""
    if "".join(segment.text for segment in segments).strip() == text.strip():
        return segments
    return [replace(segment, text=f" {segment.text.lstrip()}") for segment in segments]


def _with_words(segments: list[TranscriptSegment], words: Sequence[SpokenWord]) -> Iterator[TranscriptSegment]:
    """Each segment with the words that begin before its end; the last one has the rest."""
    place = 0
    for number, segment in enumerate(segments, 1):
        first = place
        while place < len(words) and (words[place].start < segment.end or number == len(segments)):
            place += 1
        yield replace(segment, words=tuple(words[first:place]))


def _word(word: Json) -> SpokenWord:
    return SpokenWord(word["word"], float(word["start"]), float(word["end"]))


def _logprobs(answer: Json) -> tuple[TokenLogprob, ...]:
    return token_logprobs(answer.get("logprobs") or ())
