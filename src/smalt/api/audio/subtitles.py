"""Writes a transcript as subtitles, byte for byte as the services do."""

from collections.abc import Iterable
from math import floor

from smalt.engines.audio import TranscriptSegment

MILLISECONDS = 1000


def srt(segments: Iterable[TranscriptSegment]) -> str:
    """SubRip: numbered cues, and an empty line more at the end."""
    cues = (f"{number}\n{_times(one, ',')}\n{_line(one)}\n\n" for number, one in enumerate(segments, 1))
    return "".join(cues) + "\n"


def vtt(segments: Iterable[TranscriptSegment]) -> str:
    """WebVTT: a header, and cues without numbers."""
    return "WEBVTT\n\n" + "".join(f"{_times(one, '.')}\n{_line(one)}\n\n" for one in segments)


def _line(segment: TranscriptSegment) -> str:
    """The words in one line; an empty line would end the cue, and an arrow would begin another."""
    return " ".join(segment.text.split()).replace("-->", "->")


def _times(segment: TranscriptSegment, point: str) -> str:
    return f"{_time(segment.start, point)} --> {_time(segment.end, point)}"


def _time(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(floor(seconds * MILLISECONDS + 0.5), MILLISECONDS)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}{point}{milliseconds:03d}"
