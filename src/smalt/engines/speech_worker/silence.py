"""Takes the silence away that a synthesizer leaves around what it speaks."""

import numpy as np

from smalt.engines.speech_worker.synthesis import Samples

FRAME_SECONDS = 0.01
QUIET = 10 ** (-50 / 20)
"""A frame is quiet when it is this much (50 dB) below the loudest."""

MARGIN_FRAMES = 3
"""Quiet frames that stay at both ends: the breath of a word's first and last sound."""


def trimmed(samples: Samples, sample_rate: int) -> Samples:
    """The samples without the silence before and after; none at all when there is only silence."""
    size = round(FRAME_SECONDS * sample_rate)
    padded = np.pad(samples, (0, -samples.size % size))
    loudness = np.sqrt(np.mean(padded.reshape(-1, size) ** 2, axis=1))
    loud = np.flatnonzero(loudness > max(loudness.max(initial=0.0) * QUIET, 1e-5))
    if not loud.size:
        return samples[:0]
    return samples[max(0, int(loud[0]) - MARGIN_FRAMES) * size : (int(loud[-1]) + 1 + MARGIN_FRAMES) * size]
