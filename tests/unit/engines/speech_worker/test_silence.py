"""Silence around speech."""

import numpy as np
import pytest

from smalt.engines.speech_worker.silence import trimmed

RATE = 24_000


def test_only_the_sound_and_a_breath_around_it_stay():
    sound = np.sin(np.arange(RATE) / 20).astype(np.float32)
    nothing = np.zeros(RATE, np.float32)
    left = trimmed(np.concatenate([nothing, sound, nothing, sound, nothing]), RATE)
    assert left.size == pytest.approx(3 * RATE + 0.06 * RATE, abs=0.011 * RATE)


@pytest.mark.parametrize("samples", [0, 1, 100, RATE])
def test_silence_is_nothing(samples: int):
    assert trimmed(np.zeros(samples, np.float32), RATE).size == 0
