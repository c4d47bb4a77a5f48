"""Times are where the voice is."""

import pytest

from smalt.engines.transcription_worker.timing import FRAME_SECONDS, LEAD, parted, trimmed


def voiced(*runs: tuple[int, int]) -> bytearray:
    """Frames with a voice (1) or without (0)."""
    return bytearray(b"".join(bytes([is_voiced]) * count for count, is_voiced in runs))


def at(frames: int) -> float:
    return frames * FRAME_SECONDS


def test_silence_at_both_ends_is_cut_off():
    start, end = trimmed(voiced((30, 0), (20, 1), (30, 0)), 0, at(80))
    assert (start, end) == pytest.approx((at(30) - LEAD, at(50) + LEAD))


def test_a_little_silence_is_left():
    assert trimmed(voiced((2, 0), (20, 1), (2, 0)), 0, at(24)) == (0, at(24))


def test_times_without_any_voice_are_left():
    assert trimmed(voiced((80, 0)), 1.0, 2.0) == (1.0, 2.0)


def test_a_word_begins_after_the_pause_and_the_one_before_ends_before_it():
    begins, ends_before = parted(voiced((30, 1), (20, 0), (10, 1)), at(25), at(60))
    assert (begins, ends_before) == pytest.approx((at(50) - LEAD, at(30)))


def test_a_word_without_a_pause_stays_where_it_is():
    assert parted(voiced((60, 1)), at(25), at(60)) == (at(25), at(25))


def test_silence_after_a_word_is_not_a_pause_before_it():
    assert parted(voiced((30, 1), (30, 0)), at(25), at(60)) == (at(25), at(25))
