"""Puts times where the voice is: Whisper gives the silence between two words to either of them."""

from smalt.engines.transcription_worker.decoding import RATE
from smalt.engines.transcription_worker.voice import FRAME

FRAME_SECONDS = FRAME / RATE
PAUSE = bytes(8)
"""Frames without a voice (a quarter of a second) that do not lie within a word."""

SLACK = 0.15
"""Seconds that a time may lie in the silence before or after a voice and be left there."""

EARLY = 0.06
"""Seconds by which the model's alignment begins words too early, on average; as much for three readers."""

LEAD = 0.05
"""Seconds for which a voice is heard before it is told from silence."""


def trimmed(voiced: bytearray, start: float, end: float) -> tuple[float, float]:
    """A stretch of time without the silence at both ends; as it is where there is no voice."""
    first, last = _frames(start, end)
    if voiced.find(1, first, last) < 0:
        return start, end
    begins = voiced.find(1, first, last) * FRAME_SECONDS
    ends = (voiced.rfind(1, first, last) + 1) * FRAME_SECONDS
    return (begins - LEAD if begins - start > SLACK else start), (ends + LEAD if end - ends > SLACK else end)


def parted(voiced: bytearray, start: float, end: float) -> tuple[float, float]:
    """Where a word really begins, and where the one before it ends: apart where a pause lies between the two."""
    first, last = _frames(start, end)
    pause = voiced.rfind(PAUSE, first, last)
    begins = voiced.find(1, pause, last) if pause >= 0 else -1
    if begins < 0:
        return start, start
    before = voiced.rfind(1, first, pause) + 1
    return max(start, begins * FRAME_SECONDS - LEAD), max(start, before * FRAME_SECONDS)


def _frames(start: float, end: float) -> tuple[int, int]:
    return int(start / FRAME_SECONDS), int(end / FRAME_SECONDS) + 1
