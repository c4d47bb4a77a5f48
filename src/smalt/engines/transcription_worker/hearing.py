"""Hears one recording, window after window."""

import math
from dataclasses import dataclass
from typing import Any

from smalt.engines.channel import Header
from smalt.engines.languages import english_name
from smalt.engines.transcription_worker.decoding import RATE, SoundFile
from smalt.engines.transcription_worker.model import Decoded, WhisperModel
from smalt.engines.transcription_worker.options import WhisperOptions
from smalt.engines.transcription_worker.sound import HOP, Sound, Window
from smalt.engines.transcription_worker.timing import EARLY, parted, trimmed
from smalt.engines.transcription_worker.voice import Cutting, asked_cutting, usual_cutting

REMEMBERED_TOKENS = 223
"""How much of what came before leads the model: half of its context, as in the reference."""

TRUSTED_TEMPERATURE = 0.5
"""What was heard at a higher one does not lead the model in the next window."""

NOTHING_HEARD = "en"
ENCODER_POSITIONS = 50
"""Positions that the encoder makes of a second."""


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a recording."""

    task: str
    language: str | None
    prompt: list[int]
    temperature: float
    with_words: bool
    with_logprobs: bool


class Hearing:
    """What was heard so far, and what leads the model in the next window."""

    def __init__(self, model: WhisperModel, sound: Sound, wanted: Wanted) -> None:
        self._model = model
        self._sound = sound
        self._wanted = wanted
        self._language = wanted.language
        self._tokenizing: Any = None
        self._previous = wanted.prompt
        self._last_word_end = 0.0
        self._completion_tokens = 0

    def hear(self, window: Window) -> list[dict[str, Any]]:
        """The segments of a window; the sound moves on to where the next one begins."""
        encoded = self._model.encode(window)
        if self._language is None:
            self._language = self._model.detect_language(encoded)
        if self._tokenizing is None:
            self._tokenizing = self._model.tokenizer(self._wanted.task, self._language)
        decoded = self._model.decode(encoded, self._tokenizing, self._previous, self._wanted.temperature)
        if decoded.is_silence:
            self._sound.seek(window.seek + window.size)
            return []
        segments, following = self._cut(decoded, window, encoded)
        # A model that understood nothing may want to begin again at the same place, for ever.
        self._sound.seek(following if following > window.seek else window.seek + window.size)
        spoken = [one for one in segments if self._is_spoken(one, window)]
        self._remember(spoken, decoded)
        logprobs = self._logprobs(spoken, encoded, window)
        return [self._described(one, decoded, window, logprobs) for one in spoken]

    def end(self) -> dict[str, Any]:
        """What is known in the end."""
        return {
            "language": english_name(self._language or NOTHING_HEARD),
            "duration": round(self._sound.seconds, 3),
            "audio_tokens": -(-self._sound.known * ENCODER_POSITIONS // RATE),
            "prompt_tokens": len(self._wanted.prompt),
            "completion_tokens": self._completion_tokens,
        }

    def _cut(self, decoded: Decoded, window: Window, encoded: Any) -> tuple[list[dict[str, Any]], int]:
        segments, following, is_whole = self._model.cut(self._tokenizing, decoded, window)
        if not self._wanted.with_words:
            return segments, following
        self._model.add_words(segments, self._tokenizing, encoded, window.size, self._last_word_end)
        ends = [one["words"][-1]["end"] for one in segments if one["words"]]
        if not ends:
            return segments, following
        self._last_word_end = ends[-1]
        return segments, following if is_whole else round(ends[-1] * RATE / HOP)

    def _is_spoken(self, segment: dict[str, Any], window: Window) -> bool:
        """Whether there is a voice where the segment is: the model makes things up in noise and silence."""
        start, end = segment["start"], self._within(segment["end"], window)
        return start < end and bool(self._text(segment)) and self._sound.has_voice(start, end)

    def _text(self, segment: dict[str, Any]) -> str:
        text: str = self._tokenizing.decode(segment["tokens"])
        return text if text.strip() else ""

    def _text_tokens(self, segment: dict[str, Any]) -> list[int]:
        return [token for token in segment["tokens"] if token < self._tokenizing.eot]

    def _remember(self, spoken: list[dict[str, Any]], decoded: Decoded) -> None:
        tokens = [token for segment in spoken for token in segment["tokens"]]
        self._completion_tokens += sum(len(self._text_tokens(segment)) for segment in spoken)
        self._previous = [*self._previous, *tokens][-REMEMBERED_TOKENS:]
        if decoded.temperature > TRUSTED_TEMPERATURE or not self._model.is_led_by_previous_text:
            self._previous = []

    def _logprobs(self, spoken: list[dict[str, Any]], encoded: Any, window: Window) -> list[float]:
        if not self._wanted.with_logprobs:
            return []
        tokens = [token for segment in spoken for token in self._text_tokens(segment)]
        return self._model.logprobs(self._tokenizing, encoded, tokens, window.size)

    def _described(
        self, segment: dict[str, Any], decoded: Decoded, window: Window, logprobs: list[float]
    ) -> dict[str, Any]:
        """A segment as it goes to the API process; takes its share of the `logprobs` away."""
        words = self._placed(segment.get("words", []), window)
        start, end = self._times(segment, window)
        text_tokens = self._text_tokens(segment)
        shares, logprobs[:] = logprobs[: len(text_tokens)], logprobs[len(text_tokens) :]
        return {
            "text": self._text(segment),
            "start": words[0]["start"] if words else start,
            "end": words[-1]["end"] if words else end,
            "seek": window.seek,
            "tokens": segment["tokens"],
            "temperature": decoded.temperature,
            "avg_logprob": decoded.avg_logprob,
            "compression_ratio": decoded.compression_ratio,
            "no_speech_prob": decoded.no_speech_prob,
            "words": [[one["word"], one["start"], one["end"]] for one in words],
            "logprobs": [
                [list(self._model.token_bytes(token)), share] for token, share in zip(text_tokens, shares, strict=False)
            ],
        }

    def _placed(self, words: list[dict[str, Any]], window: Window) -> list[dict[str, Any]]:
        """The words of a segment with their times where the voice is."""
        for before, word in zip([None, *words], words, strict=False):
            start = min(word["start"] + EARLY, word["end"])
            word["start"], ends_before = parted(self._sound.voiced, start, word["end"])
            if before is not None and ends_before > before["end"]:
                before["end"] = ends_before
        return [
            {"word": one["word"], **dict(zip(("start", "end"), self._times(one, window), strict=True))} for one in words
        ]

    def _times(self, part: dict[str, Any], window: Window) -> tuple[float, float]:
        """The times of a segment or word: within the sound that was heard, and where the voice is."""
        end = self._within(part["end"], window)
        start, end = trimmed(self._sound.voiced, min(float(part["start"]), end), end)
        return round(start, 2), round(end, 2)

    def _within(self, seconds: float, window: Window) -> float:
        """A time that is not after the sound that was heard."""
        return round(min(float(seconds), window.end, self._sound.seconds), 2)


def begin(model: WhisperModel, options: WhisperOptions, header: Header, content: bytes) -> tuple[Sound, Hearing]:
    """Check what is wanted and open the recording."""
    model.check_task(header["task"])
    wanted = Wanted(
        task=header["task"],
        language=model.checked_language(header["language"]) if header["language"] else None,
        prompt=model.tokens_of(header["prompt"])[-REMEMBERED_TOKENS:] if header["prompt"] else [],
        temperature=header["temperature"],
        with_words=header["with_words"],
        with_logprobs=header["with_logprobs"],
    )
    activity = header["voice_activity"]
    cutting: Cutting = asked_cutting(**activity) if activity else usual_cutting(options.voice_threshold)
    max_seconds = min(header["max_seconds"] or math.inf, (options.max_hours or math.inf) * 3600)
    sound = Sound(SoundFile(content, max_seconds), cutting)
    return sound, Hearing(model, sound, wanted)
