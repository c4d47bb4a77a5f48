"""Which windows of a recording are heard, and what is kept of it."""

import numpy as np
import pytest

import sounds
from recordings import SENTENCES, sentence
from smalt.engines.transcription_worker.decoding import RATE, SoundFile
from smalt.engines.transcription_worker.sound import HOP, WINDOW, Sound, Window
from smalt.engines.transcription_worker.voice import Cutting, asked_cutting, usual_cutting


def opened(sound: sounds.Samples, cutting: Cutting | None = None) -> Sound:
    return Sound(SoundFile(sounds.encoded(sound, "flac"), 1e6), cutting or usual_cutting(0.35))


def windows(sound: Sound) -> list[Window]:
    """All windows, each heard to its end; no more of the recording than two minutes is ever kept."""
    found: list[Window] = []
    while True:
        window = sound.window()
        if window is not None:
            found.append(window)
            sound.seek(window.seek + window.size)
        elif sound.is_over:
            return found
        else:
            sound.read()
            assert len(sound._samples) < 120 * RATE


@pytest.fixture(scope="module")
def spoken() -> sounds.Samples:
    """Seven seconds of speech."""
    return sounds.samples_of(sentence(SENTENCES[0]).content)


def test_silence_has_no_window():
    sound = opened(sounds.silence(200))
    assert windows(sound) == []
    assert sound.seconds == 200


def test_a_window_begins_a_little_before_the_voice(spoken: sounds.Samples):
    (window,) = windows(opened(np.concatenate([sounds.silence(70), spoken, sounds.silence(70)])))
    assert 68.9 < window.seek / 100 < 70.3
    assert 77 < window.end < 79


def test_voices_that_are_near_share_a_window(spoken: sounds.Samples):
    pause = sounds.silence(5)
    assert len(windows(opened(np.concatenate([spoken, pause, spoken])))) == 1


def test_a_voice_that_never_pauses_is_heard_in_whole_windows_without_a_gap(spoken: sounds.Samples):
    found = windows(opened(np.tile(spoken, 12)))
    assert [window.size for window in found[:-1]] == [3000, 3000]
    assert [window.seek for window in found] == [0, 3000, 6000]
    assert all(len(window.samples) <= WINDOW for window in found)


def test_a_window_holds_the_sound_of_its_place(spoken: sounds.Samples):
    whole = np.concatenate([sounds.silence(100), spoken])
    (window,) = windows(opened(whole))
    start = window.seek * HOP
    assert window.samples == pytest.approx(whole[start : start + len(window.samples)], abs=1e-4)


def test_asked_to_cut_at_silences_what_lies_between_is_not_heard(spoken: sounds.Samples):
    noisy = np.concatenate([spoken, sounds.noise(8, level=0.01), spoken])
    (window,) = windows(opened(noisy, asked_cutting(0.5, 100, 200)))
    assert np.abs(window.samples[9 * RATE : 13 * RATE]).max() == 0
    assert np.abs(window.samples[: 6 * RATE]).max() > 0.1


def test_a_threshold_that_nothing_reaches_leaves_nothing(spoken: sounds.Samples):
    assert windows(opened(spoken, asked_cutting(1.0, 300, 200))) == []
