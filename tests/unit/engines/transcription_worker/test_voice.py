"""Where voices are found, and how stretches of them are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sounds
from recordings import SENTENCES, sentence
from smalt.core.errors import InvalidRequest
from smalt.engines.transcription_worker.decoding import RATE
from smalt.engines.transcription_worker.voice import (
    FRAME,
    Cutting,
    Stretch,
    Stretches,
    VoiceDetector,
    asked_cutting,
    usual_cutting,
)

CUTTING = Cutting(threshold=0.5, before=2 * FRAME, silence=4 * FRAME, after=FRAME)


def stretches(*runs: tuple[int, float], cutting: Cutting = CUTTING) -> list[Stretch]:
    """The stretches in frames, each run of which is as probable as it says."""
    found = Stretches(cutting)
    for count, probability in runs:
        found.add([probability] * count)
    found.finish(len(found.voiced) * FRAME)
    return found.found


def in_frames(found: list[Stretch]) -> list[tuple[int, int]]:
    return [(one.start // FRAME, (one.end or 0) // FRAME) for one in found]


def test_a_stretch_begins_before_the_voice_and_ends_after_it():
    assert in_frames(stretches((10, 0.0), (5, 0.9), (20, 0.0))) == [(8, 16)]


def test_a_short_silence_parts_nothing_and_a_long_one_does():
    assert in_frames(stretches((5, 0.9), (3, 0.0), (5, 0.9), (20, 0.0))) == [(0, 14)]
    assert in_frames(stretches((5, 0.9), (9, 0.0), (5, 0.9), (20, 0.0))) == [(0, 6), (12, 20)]


def test_a_stretch_never_reaches_back_into_the_one_before():
    long_prefix = Cutting(threshold=0.5, before=50 * FRAME, silence=4 * FRAME, after=FRAME)
    assert in_frames(stretches((5, 0.9), (9, 0.0), (5, 0.9), (20, 0.0), cutting=long_prefix)) == [(0, 6), (6, 20)]


def test_a_voice_goes_on_while_it_is_a_little_less_probable():
    assert in_frames(stretches((5, 0.9), (20, 0.4), (20, 0.0))) == [(0, 26)]


def test_a_crack_is_no_voice():
    assert stretches((10, 0.0), (2, 0.9), (20, 0.0)) == []


def test_a_stretch_ends_with_the_recording():
    assert in_frames(stretches((3, 0.0), (5, 0.9))) == [(1, 8)]


@given(st.lists(st.floats(0, 1), max_size=300), st.integers(1, 20))
def test_stretches_are_in_order_and_apart(probabilities: list[float], silence: int):
    found = Stretches(Cutting(0.5, before=3 * FRAME, silence=silence * FRAME, after=2 * FRAME))
    found.add(probabilities)
    total = len(probabilities) * FRAME
    found.finish(total)
    times = [time for one in found.found for time in (one.start, one.end)]
    assert all(time is not None and 0 <= time <= total for time in times)
    assert times == sorted(times)


def test_a_prefix_that_would_keep_too_much_in_memory_is_refused():
    with pytest.raises(InvalidRequest) as refused:
        asked_cutting(0.5, 60_000, 200)
    assert refused.value.param == "chunking_strategy"


@pytest.mark.parametrize("level", [0.001, 0.02, 0.1, 0.4])
def test_noise_is_no_voice(level: float):
    assert voices(sounds.noise(60, level=level)) == []


@pytest.mark.parametrize("level", [0.005, 0.3])
def test_a_hum_is_no_voice(level: float):
    assert voices(sounds.hum(60, level=level)) == []


def test_silence_is_no_voice():
    assert voices(sounds.silence(60)) == []


@pytest.mark.parametrize("gain", [1.0, 0.05, 0.003])
def test_a_voice_is_heard_however_quiet_it_is(gain: float):
    (stretch,) = voices(gain * sounds.samples_of(sentence(SENTENCES[0]).content))
    assert stretch.end is not None
    assert stretch.end - stretch.start > 6 * RATE


def voices(sound: sounds.Samples) -> list[Stretch]:
    samples = (sound * 32767).astype(np.int16)
    samples = samples[: len(samples) // FRAME * FRAME]
    found = Stretches(usual_cutting(0.35))
    found.add(VoiceDetector().probabilities(samples).tolist())
    found.finish(len(samples))
    return found.found


def test_a_detector_hears_the_same_in_one_block_and_in_several():
    samples = (sounds.noise(4) * 32767).astype(np.int16)[: 100 * FRAME]
    detector = VoiceDetector()
    parts = [
        detector.probabilities(samples[start : start + 20 * FRAME]) for start in range(0, len(samples), 20 * FRAME)
    ]
    assert np.concatenate(parts) == pytest.approx(VoiceDetector().probabilities(samples), abs=1e-4)
