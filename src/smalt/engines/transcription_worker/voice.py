"""Finds voices in sound: how probable one is in each frame, and the stretches of frames that belong together."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_whisper import vad
from numpy.typing import NDArray

from smalt.core.errors import InvalidRequest
from smalt.engines.transcription_worker.decoding import RATE, Samples, as_floats

FRAME = 512
"""Samples of which Silero gives one probability."""

CONTEXT = 64
INAUDIBLE = 3
"""Sound whose samples (of 16 bits) are never larger is silence; it need not be looked at."""

LOUD = 3277
"""Sound that is nowhere louder than this (-20 dB) is raised to it: the detector does not hear very quiet voices."""

MIN_VOICED_FRAMES = 3
"""What is a voice for less than this (0.1 seconds) is none, but a crack."""

MAX_PREFIX_MS = 30_000
HYSTERESIS = 0.15
"""A voice that began goes on while its probability is not this much below the threshold, as Silero advises."""


FAINT = 0.2
"""Steady noise is below it nearly always."""


class VoiceDetector:
    """Silero's detector over a stream: what it has heard before is kept from one block to the next."""

    def __init__(self) -> None:
        # onnxruntime's own type hints leave its classes unknown.
        self._session: Any = vad.get_vad_model().session
        self._forget()

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """How probable a voice is in each frame; the number of samples is a multiple of `FRAME`."""
        frames = samples.reshape(-1, FRAME)
        loudest = np.abs(samples.astype(np.int32)).max(initial=0)
        if loudest <= INAUDIBLE:
            self._forget()
            return np.zeros(len(frames), np.float32)
        sound = as_floats(frames) * np.float32(max(1.0, LOUD / loudest))
        contexts = np.concatenate([self._context, sound[:-1, -CONTEXT:]])
        found, self._hidden, self._cell = self._session.run(
            None, {"input": np.concatenate([contexts, sound], axis=1), "h": self._hidden, "c": self._cell}
        )
        self._context = sound[-1:, -CONTEXT:]
        return found.reshape(-1)

    def _forget(self) -> None:
        self._hidden = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros((1, CONTEXT), np.float32)


@dataclass(frozen=True)
class Cutting:
    """How stretches of voice are cut: in samples, but for the threshold."""

    threshold: float
    before: int
    silence: int
    after: int
    is_muted: bool = False
    """Whether what lies outside the stretches is not heard even where there is room for it."""


def usual_cutting(threshold: float) -> Cutting:
    """What lies far from any voice is left out; pauses are heard."""
    return Cutting(threshold, before=RATE, silence=3 * RATE, after=RATE)


def asked_cutting(threshold: float, prefix_padding_ms: int, silence_duration_ms: int) -> Cutting:
    """As the request's `chunking_strategy` says."""
    if prefix_padding_ms > MAX_PREFIX_MS:
        raise InvalidRequest(
            f"chunking_strategy.prefix_padding_ms is {prefix_padding_ms}; the most is {MAX_PREFIX_MS}.",
            param="chunking_strategy",
        )
    silence = silence_duration_ms * RATE // 1000
    return Cutting(threshold, prefix_padding_ms * RATE // 1000, silence, silence, is_muted=True)


@dataclass
class Stretch:
    """Samples from `start` to `end` that belong to one voice; `end` is None while it goes on."""

    start: int
    end: int | None = None


class Stretches:
    """The stretches of a recording, as its frames come in."""

    def __init__(self, cutting: Cutting) -> None:
        self.cutting = cutting
        self.found: list[Stretch] = []
        self.voiced = bytearray()
        """One for each frame: whether there is a voice in it."""
        self.faint = bytearray()
        """The same, with what may be the beginning or the end of one."""
        self._onset = 0
        self._silent_from: int | None = None
        self._voiced_count = 0
        self._is_open = False

    def add(self, probabilities: Iterable[float]) -> None:
        """Take in the next frames."""
        threshold = self.cutting.threshold
        lower = max(threshold - HYSTERESIS, 0.01)
        for probability in probabilities:
            at = len(self.voiced) * FRAME
            is_voiced = probability >= threshold
            self.voiced.append(is_voiced)
            self.faint.append(is_voiced or probability >= FAINT)
            if is_voiced:
                self._heard(at)
            elif self._is_open and probability < lower:
                self._fell_silent(at)

    def finish(self, total: int) -> None:
        """The recording has ended after `total` samples."""
        if self._is_open:
            self._close(total if self._silent_from is None else self._silent_from, total)

    def _heard(self, at: int) -> None:
        if not self._is_open:
            self._is_open, self._onset, self._voiced_count = True, at, 0
        self._silent_from = None
        self._voiced_count += 1
        if self._voiced_count == MIN_VOICED_FRAMES:
            previous = (self.found[-1].end or 0) if self.found else 0
            self.found.append(Stretch(max(self._onset - self.cutting.before, previous)))

    def _fell_silent(self, at: int) -> None:
        if self._silent_from is None:
            self._silent_from = at
        is_crack = self._voiced_count < MIN_VOICED_FRAMES
        if is_crack or at + FRAME - self._silent_from >= self.cutting.silence:
            self._close(self._silent_from, at + FRAME)

    def _close(self, silent_from: int, known: int) -> None:
        self._is_open, self._silent_from = False, None
        if self._voiced_count >= MIN_VOICED_FRAMES:
            self.found[-1].end = min(silent_from + self.cutting.after, known)
        else:
            first = self._onset // FRAME
            self.voiced[first:] = bytes(len(self.voiced) - first)
