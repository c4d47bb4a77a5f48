"""Hears what an echo said; of any other recording it knows the length, and has some words for it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final
from zlib import crc32

from smalt.engines.audio import (
    Recording,
    SpokenWord,
    TranscriptEnd,
    TranscriptSegment,
    invalid_file,
    recording_too_long,
)
from smalt.engines.echo import marks
from smalt.engines.echo.likelihood import certain
from smalt.engines.echo.words import repeated, tokens_of

HEARD: Final = ("a", "bell", "rings", "where", "the", "sea", "and", "sky", "are", "one", "while", "ships", "go", "by")
SIGNATURES: Final = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")
SEGMENT_WORDS: Final = 12
VOCABULARY: Final = 50_000
FRAMES_A_SECOND: Final = 100
TOKENS_A_SECOND: Final = 50
BYTES_A_SECOND: Final = 16_000
SECONDS_AN_HOUR: Final = 3600
SPEAKERS: Final = "AB"


@dataclass(frozen=True, slots=True)
class Heard:
    """The words of a recording, each with the white space before it, and the seconds of sound."""

    words: list[str]
    seconds: float

    def segments(self, recording: Recording) -> Iterator[TranscriptSegment]:
        """The words in segments, a sentence or less each; time goes by letters."""
        letters = sum(map(len, self.words)) or 1
        place = 0
        for number, words in enumerate(_sentences(self.words)):
            timed: list[SpokenWord] = []
            for word in words:
                start, place = place, place + len(word)
                timed.append(SpokenWord(word, self._time(start / letters), self._time(place / letters)))
            segment = _segment(timed, recording)
            yield replace(segment, speaker=SPEAKERS[number % 2]) if recording.with_speakers else segment

    def end(self, recording: Recording, language: str) -> TranscriptEnd:
        """What it comes to."""
        prompted = len(tokens_of(recording.prompt or ""))
        return TranscriptEnd(language, self.seconds, round(self.seconds * TOKENS_A_SECOND), prompted, len(self.words))

    def _time(self, part: float) -> float:
        return round(self.seconds * part, 2)


def heard(recording: Recording, *, length: int | None) -> Heard:
    """Listen to a recording; `length` is how many words it shall have if it has any."""
    text, seconds = _said(recording)
    words = tokens_of(text.strip())
    if words:
        words = repeated([f" {words[0]}", *words[1:]], length)
    return Heard(words, seconds)


def _said(recording: Recording) -> tuple[str, float]:
    content = recording.content
    if not _is_sound(content):
        raise invalid_file()
    if content.startswith(b"RIFF"):
        samples, rate, width = _wav(content)
        seconds = len(samples) / (rate * width)
        _check_length(seconds, recording.max_hours)
        if not any(samples):
            return "", seconds
        return marks.found(samples) or _some_words(content, seconds), seconds
    tagged = marks.tagged(content)
    if tagged is not None:
        _check_length(tagged[1], recording.max_hours)
        return tagged
    # What is in a compressed file is not for an echo to know: it takes it for 128,000 bits a second.
    seconds = len(content) / BYTES_A_SECOND
    _check_length(seconds, recording.max_hours)
    return _some_words(content, seconds), seconds


def _check_length(seconds: float, max_hours: float | None) -> None:
    if max_hours is not None and seconds > max_hours * SECONDS_AN_HOUR:
        raise recording_too_long(max_hours)


def _is_sound(content: bytes) -> bool:
    is_frame = content[:1] == b"\xff" and content[1:2] >= b"\xe0"
    return is_frame or content.startswith(SIGNATURES) or content[4:8] == b"ftyp"


def _wav(content: bytes) -> tuple[bytes, int, int]:
    """The samples of a WAV file, how many a second, and the bytes of one (of all channels)."""
    place, rate, width = 12, 0, 0
    while place + 8 <= len(content) and content[8:12] == b"WAVE":
        name, size = struct.unpack_from("<4sI", content, place)
        place += 8
        if name == b"fmt " and place + 16 <= len(content):
            _, _, rate, _, width, _ = struct.unpack_from("<HHIIHH", content, place)
        elif name == b"data" and rate and width and place < len(content):
            return content[place : place + size], rate, width
        place += size + size % 2
    raise invalid_file()


def _some_words(content: bytes, seconds: float) -> str:
    """The same words for the same recording, one a second."""
    start = sha256(content).digest()[0]
    return " ".join(HEARD[(start + place) % len(HEARD)] for place in range(max(1, round(seconds))))


def _sentences(words: list[str]) -> Iterator[list[str]]:
    sentence: list[str] = []
    for word in words:
        sentence.append(word)
        if word.endswith((".", "!", "?")) or len(sentence) == SEGMENT_WORDS:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _segment(words: list[SpokenWord], recording: Recording) -> TranscriptSegment:
    texts = [word.word for word in words]
    return TranscriptSegment(
        "".join(texts),
        words[0].start,
        words[-1].end,
        seek=round(words[0].start * FRAMES_A_SECOND),
        tokens=tuple(crc32(text.encode()) % VOCABULARY for text in texts),
        temperature=recording.temperature,
        words=tuple(words) if recording.with_words else (),
        logprobs=tuple(certain(text, 0) for text in texts) if recording.with_logprobs else (),
    )
