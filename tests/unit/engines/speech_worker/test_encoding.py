"""Samples become files that other readers open, while they are made; and faster or slower sound of the same pitch."""

import io
import wave

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from smalt.engines.audio import AudioFormat
from smalt.engines.speech_worker.encoding import FILE_RATE, Encoder, Tempo

Samples = NDArray[np.float32]

FORMATS: list[AudioFormat] = ["mp3", "opus", "aac", "flac", "wav", "pcm"]
LOSSLESS = ("flac", "wav", "pcm")
BEGINNINGS = {"mp3": b"\xff\xf3", "opus": b"OggS", "aac": b"\xff\xf1", "flac": b"fLaC", "wav": b"RIFF\xff\xff\xff\xff"}
SPEEDS = [0.25, 0.3, 0.5, 0.8, 1.0, 1.25, 2.0, 3.0, 4.0]


def voice(seconds: float, *, rate: int = FILE_RATE, hertz: float = 150.0) -> Samples:
    """A tone with overtones that rises and falls a little, as loud as syllables are."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(hertz * (1 + 0.05 * np.sin(2 * np.pi * 0.7 * time))) / rate
    tones = np.sum([np.sin(overtone * phase) / overtone for overtone in range(1, 20)], axis=0)
    return (0.2 * tones * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def file_of(samples: Samples, kind: AudioFormat, *, rate: int = FILE_RATE, block: int = 4_800) -> bytes:
    encoder = Encoder(kind, rate)
    parts = [encoder.encode(samples[start : start + block]) for start in range(0, len(samples), block)]
    return b"".join([*parts, encoder.finish()])


def decoded(content: bytes, kind: AudioFormat) -> Samples:
    if kind == "pcm":
        return (np.frombuffer(content, "<i2") / 32_768).astype(np.float32)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=FILE_RATE)
    with av.open(io.BytesIO(content), "r") as container:
        assert container.streams.audio[0].codec_context.sample_rate in {FILE_RATE, 48_000}
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def signal_to_noise(original: Samples, found: Samples) -> float:
    """In dB, wherever the sound begins in what was found."""
    likeness = np.correlate(found[: FILE_RATE + 4_800], original[:FILE_RATE], "valid")
    delay = int(np.argmax(likeness))
    length = min(len(original), len(found) - delay)
    noise = original[:length] - found[delay : delay + length]
    return float(10 * np.log10(np.sum(original[:length] ** 2) / np.sum(noise**2)))


def pitch(samples: Samples, rate: int) -> float:
    """The frequency that the sound repeats itself with, between 70 and 400 Hz."""
    middle = samples[len(samples) // 4 : len(samples) * 3 // 4].astype(np.float64)
    power = np.abs(np.fft.rfft(middle, 2 * len(middle))) ** 2
    likeness = np.fft.irfft(power)
    shortest, longest = rate // 400, rate // 70
    return rate / (shortest + int(np.argmax(likeness[shortest:longest])))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_holds_the_sound_it_was_made_of(kind: AudioFormat):
    sound = voice(3)
    content = file_of(sound, kind)
    found = decoded(content, kind)
    assert content.startswith(BEGINNINGS.get(kind, b""))
    assert len(sound) <= len(found) <= len(sound) + FILE_RATE // 10
    assert signal_to_noise(sound, found) > (70 if kind in LOSSLESS else 18)


@pytest.mark.parametrize("kind", FORMATS)
def test_bytes_come_while_samples_are_fed(kind: AudioFormat):
    sound = voice(4)
    encoder = Encoder(kind, FILE_RATE)
    first = encoder.encode(sound[: FILE_RATE // 2])
    second = encoder.encode(sound[FILE_RATE // 2 :])
    rest = encoder.finish()
    assert len(first) > len(rest)
    assert len(rest) < 0.1 * len(second)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_sent_so_far_can_be_played(kind: AudioFormat):
    content = Encoder(kind, FILE_RATE).encode(voice(2))
    assert len(decoded(content, kind)) > 1.5 * FILE_RATE


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_without_sound_has_a_little_silence(kind: AudioFormat):
    for samples in (voice(0), voice(0.001)):
        found = decoded(file_of(samples, kind), kind)
        assert FILE_RATE // 20 < len(found) < FILE_RATE // 4
        assert np.abs(found[-1_000:]).max() < 0.05


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_every_rate_becomes_24_000_samples_a_second(rate: int):
    found = decoded(file_of(voice(3, rate=rate), "pcm", rate=rate, block=1_000), "pcm")
    assert len(found) == pytest.approx(3 * FILE_RATE, abs=2)
    assert pitch(found, FILE_RATE) == pytest.approx(pitch(voice(3), FILE_RATE), rel=0.01)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_sound_gives_the_same_file(kind: AudioFormat):
    assert file_of(voice(1), kind) == file_of(voice(1), kind)


def test_a_wav_file_is_read_by_a_reader_that_takes_44_bytes_for_the_header():
    sound = voice(1)
    content = file_of(sound, "wav")
    assert content[36:44] == b"data\xff\xff\xff\xff"
    assert content[44:] == file_of(sound, "pcm")
    with wave.open(io.BytesIO(content)) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (FILE_RATE, 1, 2)
        assert reader.readframes(reader.getnframes()) == content[44:]


def test_sound_that_is_too_loud_is_cut_and_not_turned_over():
    sound = 4 * voice(1)
    found = decoded(file_of(sound, "pcm"), "pcm")
    assert np.abs(sound).max() > 1.2
    assert np.abs(found - np.clip(sound, -1, 1)).max() < 0.001


@pytest.mark.parametrize("speed", SPEEDS)
def test_speed_changes_the_length_and_not_the_pitch(speed: float):
    rate = 22_050
    sound = voice(6, rate=rate)
    tempo = Tempo(speed, rate)
    parts = [tempo.feed(sound[start : start + 3_000]) for start in range(0, len(sound), 3_000)]
    found = np.concatenate([*parts, tempo.finish()])
    assert found.dtype == np.float32
    assert len(found) * speed == pytest.approx(len(sound), rel=0.01)
    assert pitch(found, rate) == pytest.approx(pitch(sound, rate), rel=0.02)
    assert np.abs(found).max() < 1.1 * np.abs(sound).max()


def test_sound_at_its_own_speed_passes_unchanged():
    sound = voice(1)
    tempo = Tempo(1.0, FILE_RATE)
    assert tempo.feed(sound) is sound
    assert len(tempo.finish()) == 0


def test_faster_sound_comes_while_it_is_fed():
    tempo = Tempo(2.0, FILE_RATE)
    first = tempo.feed(voice(1))
    assert len(first) > 0.4 * FILE_RATE
    assert len(tempo.finish()) < 0.1 * FILE_RATE


@pytest.mark.parametrize("speed", [0.25, 1.0, 4.0])
def test_nothing_stays_nothing_at_any_speed(speed: float):
    tempo = Tempo(speed, FILE_RATE)
    assert len(tempo.feed(np.zeros(0, np.float32))) == 0
    assert len(tempo.finish()) == 0
