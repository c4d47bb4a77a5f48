"""Subtitles have the bytes that the services send."""

from smalt.api.audio.subtitles import srt, vtt
from smalt.engines.audio import TranscriptSegment

ONE = TranscriptSegment(" Text", 0.0, 3.0)
TWO = TranscriptSegment(" A line\n\n with --> an arrow.", 3.0005, 3725.9996)


def test_srt_has_numbers_and_an_empty_line_more_at_the_end() -> None:
    assert srt([ONE]) == "1\n00:00:00,000 --> 00:00:03,000\nText\n\n\n"
    assert srt([ONE, TWO]) == (
        "1\n00:00:00,000 --> 00:00:03,000\nText\n\n2\n00:00:03,001 --> 01:02:06,000\nA line with -> an arrow.\n\n\n"
    )


def test_vtt_has_a_header_and_points() -> None:
    assert vtt([ONE]) == "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nText\n\n"
    assert vtt([TWO]) == "WEBVTT\n\n00:00:03.001 --> 01:02:06.000\nA line with -> an arrow.\n\n"


def test_silence_has_no_cues() -> None:
    assert (srt([]), vtt([])) == ("\n", "WEBVTT\n\n")


def test_more_than_a_day_is_counted_in_hours() -> None:
    assert "30:00:00.000 --> 30:00:01.000" in vtt([TranscriptSegment("Late.", 108_000.0, 108_001.0)])
