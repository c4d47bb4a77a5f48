"""How many words of other people's recordings are heard wrongly, and when, through the API as its clients see it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio_serving import AudioServer, heard, serving_audio, word_error_rate, words_of
from recordings import SENTENCES, Clip, alignment, monkeys, sentence, sonnet
from sounds import RATE, Samples, hum, noise, samples_of, silence, wav

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

GAPS = (1.0, 2.0, 0.7, 3.0, 1.5)
"""Seconds of silence before each sentence of the joined clip."""

ORDER = tuple(zip(GAPS, SENTENCES, strict=True))


@pytest.fixture(scope="module")
def server(starter_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AudioServer]:
    with serving_audio(starter_data_dir, tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.fixture(scope="module")
def joined() -> Clip:
    """All sentences of the novel in one file, each cut out at its first and last word, with silence between them."""
    parts = [part for gap, number in ORDER for part in (silence(gap), _cut_out(number))]
    return Clip("joined.wav", wav(np.concatenate(parts)), " ".join(sentence(number).text for number in SENTENCES))


@pytest.fixture(scope="module")
def told(server: AudioServer, joined: Clip) -> dict[str, Any]:
    """Everything that can be told of the joined clip."""
    answer = server.sdk.audio.transcriptions.create(
        model="whisper-1",
        file=(joined.filename, joined.content),
        language="en",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    return answer.model_dump()


def test_a_poem_of_four_hundred_years_ago_is_heard_for_the_most_part(server: AudioServer) -> None:
    assert word_error_rate([sonnet()], [heard(server, sonnet())]) <= 0.16


def test_the_sentences_of_a_novel_are_heard_between_silences(told: dict[str, Any], joined: Clip) -> None:
    assert word_error_rate([joined], [told["text"]]) <= 0.03


def test_sentences_begin_within_a_fifth_of_a_second_of_where_they_were_put(told: dict[str, Any]) -> None:
    for (start, _), number in zip(_places(), SENTENCES, strict=True):
        assert _distance(told, alignment(number)[0].word, start) <= 0.2, number


def test_most_words_begin_within_a_fifth_of_a_second_of_where_others_found_them(told: dict[str, Any]) -> None:
    """Not all: a pause between two words is given to either of them."""
    distances = [
        _distance(told, word.word, start + word.start - alignment(number)[0].start)
        for (start, _), number in zip(_places(), SENTENCES, strict=True)
        for word in alignment(number)
    ]
    assert sum(distance <= 0.2 for distance in distances) >= 0.9 * len(distances)
    assert sorted(distances)[len(distances) // 2] <= 0.1


def test_words_are_in_order_within_their_segments_and_the_recording(told: dict[str, Any], joined: Clip) -> None:
    seconds = len(samples_of(joined.content)) / RATE
    assert told["duration"] == pytest.approx(seconds, abs=0.05)
    times = [time for word in told["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[-1] <= seconds + 0.01
    bounds = [time for segment in told["segments"] for time in (segment["start"], segment["end"])]
    assert bounds == sorted(bounds)
    assert "".join(segment["text"] for segment in told["segments"]).strip() == told["text"]


def test_no_word_is_told_in_the_silences(told: dict[str, Any]) -> None:
    places = _places()
    for word in told["words"]:
        middle = (word["start"] + word["end"]) / 2
        assert any(start <= middle <= end for start, end in places), word


@pytest.mark.parametrize("sound", ["silence", "noise", "hum", "monkeys"])
def test_nothing_is_made_up_where_nobody_speaks(server: AudioServer, sound: str) -> None:
    content = {
        "silence": lambda: wav(silence(40)),
        "noise": lambda: wav(noise(40)),
        "hum": lambda: wav(hum(40)),
        "monkeys": monkeys,
    }[sound]()
    answer = server.sdk.audio.transcriptions.create(
        model="whisper-1", file=(f"{sound}.wav", content), response_format="verbose_json"
    )
    assert answer.text == ""
    assert answer.segments == []


def test_quiet_speech_and_speech_in_noise_are_still_heard(server: AudioServer) -> None:
    clip = sentence("0870")
    samples = samples_of(clip.content)
    quiet = Clip("quiet.wav", wav(samples * 0.03), clip.text)
    loudness = float(np.sqrt(np.mean(samples**2)))
    noisy = Clip("noisy.wav", wav(samples + noise(len(samples) / RATE, level=loudness / 4)), clip.text)
    assert word_error_rate([quiet, noisy], [heard(server, quiet), heard(server, noisy)]) <= 0.1


def _cut_out(number: str) -> Samples:
    """A sentence from its first word to its last, without the quiet around it."""
    words = alignment(number)
    return samples_of(sentence(number).content)[round(words[0].start * RATE) : round(words[-1].end * RATE)]


def _places() -> list[tuple[float, float]]:
    """When each sentence of the joined clip begins and ends."""
    places: list[tuple[float, float]] = []
    at = 0.0
    for gap, number in ORDER:
        start = at + gap
        at = start + len(_cut_out(number)) / RATE
        places.append((start, at))
    return places


def _distance(told: dict[str, Any], word: str, at: float) -> float:
    """How far from a time the same word is told."""
    found = [abs(one["start"] - at) for one in told["words"] if words_of(one["word"]) == words_of(word)]
    return min(found, default=60.0)
