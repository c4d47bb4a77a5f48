"""The part of a recording that is in memory, and the window of it that is heard next."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smalt.engines.transcription_worker.decoding import RATE, SoundFile, as_floats
from smalt.engines.transcription_worker.voice import FRAME, Cutting, Stretch, Stretches, VoiceDetector

HOP = 160
"""Samples between two of Whisper's frames."""

WINDOW = 30 * RATE
BLOCK = 1000 * FRAME
"""Samples that are decoded at once: 32 seconds."""

SHORTEST = RATE // 20
"""Less than this (50 ms) at the end of a stretch holds no words."""

NEAR = RATE // 3
"""How far from a voice its words may be placed."""


@dataclass(frozen=True)
class Window:
    """At most 30 seconds of sound; `seek` and `size` count frames of 10 ms, `seek` from the recording's beginning."""

    seek: int
    size: int
    samples: NDArray[np.float32]

    @property
    def end(self) -> float:
        """Where it ends, in seconds."""
        return (self.seek + self.size) * HOP / RATE


class Sound:
    """A recording that is decoded as it is needed; what lies behind is forgotten."""

    def __init__(self, file: SoundFile, cutting: Cutting) -> None:
        self._file = file
        self._detector = VoiceDetector()
        self._stretches = Stretches(cutting)
        self._samples = np.empty(0, np.int16)
        self._first = 0
        self._seek = 0
        self._behind = 0
        self.is_over = False

    @property
    def known(self) -> int:
        """Samples that were decoded so far."""
        return self._first + len(self._samples)

    @property
    def seconds(self) -> float:
        """How long the recording is, as far as it is known."""
        return self.known / RATE

    def read(self) -> None:
        """Decode the next block and look for voices in it."""
        block = self._file.read(BLOCK)
        self._forget()
        self._samples = np.concatenate([self._samples, block])
        padded = np.pad(block, (0, -len(block) % FRAME))
        if len(padded):
            self._stretches.add(self._detector.probabilities(padded).tolist())
        if len(block) < BLOCK:
            self.is_over = True
            self._stretches.finish(self.known)
            self._file.close()

    def close(self) -> None:
        """Let go of the decoder."""
        self._file.close()

    def seek(self, frame: int) -> None:
        """Everything before this frame of 10 ms has been heard."""
        self._seek = max(self._seek, frame * HOP)

    def window(self) -> Window | None:
        """The next window with a voice in it; None when more must be read first, or there is none."""
        onset = self._onset()
        stretch = self._next_stretch(onset)
        if stretch is None:
            return None
        start = max(self._seek, stretch.start, onset - self._stretches.cutting.before) // HOP * HOP
        if start + WINDOW > self.known and not self.is_over:
            return None
        end = min(self._end(stretch, start + WINDOW), self.known)
        if end - start < SHORTEST:
            self._seek = -(-end // HOP) * HOP
            return self.window()
        return Window(start // HOP, -(-(end - start) // HOP), self._heard(start, end))

    def has_voice(self, start: float, end: float) -> bool:
        """Whether there is a voice between two times, or near them."""
        first = max(0, int(start * RATE) - NEAR) // FRAME
        last = (int(end * RATE) + NEAR) // FRAME + 1
        return self._stretches.voiced.find(1, first, last) >= 0

    @property
    def voiced(self) -> bytearray:
        """One for each frame of the recording in which there may be a voice."""
        return self._stretches.faint

    def _onset(self) -> int:
        frame = self._stretches.voiced.find(1, self._seek // FRAME)
        return max(frame * FRAME, self._seek) if frame >= 0 else self.known

    def _next_stretch(self, onset: int) -> Stretch | None:
        found = self._stretches.found
        while self._behind < len(found):
            end = found[self._behind].end
            if end is None or end > onset:
                return found[self._behind] if onset < self.known else None
            self._behind += 1
        return None

    def _end(self, stretch: Stretch, limit: int) -> int:
        """The end of the last stretch that fits in whole; of none, as far as there is room."""
        if stretch.end is None or stretch.end > limit:
            return limit
        end = stretch.end
        for following in self._stretches.found[self._behind + 1 :]:
            if following.end is None or following.end > limit:
                break
            end = following.end
        return end

    def _heard(self, start: int, end: int) -> NDArray[np.float32]:
        samples = self._samples[start - self._first : end - self._first]
        if not self._stretches.cutting.is_muted:
            return as_floats(samples)
        heard = np.zeros(len(samples), np.float32)
        for stretch in self._stretches.found[self._behind :]:
            if stretch.start >= end:
                break
            part = slice(max(stretch.start - start, 0), max((stretch.end or end) - start, 0))
            heard[part] = as_floats(samples[part])
        return heard

    def _forget(self) -> None:
        """Drop what lies so far behind that no window can begin there."""
        needed = max(self._seek, min(self._onset(), self.known - FRAME) - self._stretches.cutting.before)
        drop = needed // HOP * HOP - self._first
        if drop > 0:
            self._samples = self._samples[drop:]
            self._first += drop
