"""A real voice in every format, and at other speeds: what comes out is still that voice."""

import io

import av
import numpy as np
import pytest

from recordings import sentence
from smalt.engines.audio import AudioFormat
from smalt.engines.speech_worker.encoding import FILE_RATE, Encoder, Tempo
from sounds import RATE, Samples, samples_of

pytestmark = pytest.mark.real

QUALITY = {"mp3": 15.0, "opus": 8.0, "aac": 15.0, "flac": 50.0, "wav": 50.0, "pcm": 50.0}
"""The least signal-to-noise ratio below 4 kHz in dB; Opus keeps what is heard, not the shape of the wave."""

FORMATS: list[AudioFormat] = ["mp3", "opus", "aac", "flac", "wav", "pcm"]


def voice() -> Samples:
    return samples_of(sentence("0870").content)


def encoded(samples: Samples, kind: AudioFormat) -> bytes:
    encoder = Encoder(kind, RATE)
    blocks = np.array_split(samples, 17)
    return b"".join([*map(encoder.encode, blocks), encoder.finish()])


def decoded(content: bytes, kind: AudioFormat) -> Samples:
    if kind != "pcm":
        return samples_of(content)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    frame = av.AudioFrame.from_ndarray(np.frombuffer(content, "<i2")[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = FILE_RATE
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def low(samples: Samples, length: int) -> np.ndarray:
    """The spectrum below 4 kHz."""
    return np.fft.rfft(samples, length)[: length * 4_000 // RATE]


def signal_to_noise(original: Samples, found: Samples) -> float:
    """In dB, wherever the voice begins in what was found."""
    length = 2 * max(len(original), len(found))
    before, after = low(original, length), low(found, length)
    delay = int(np.argmax(np.fft.irfft(np.conj(before) * after, length)[: RATE // 5]))
    shifted = before * np.exp(-2j * np.pi * np.arange(len(before)) * delay / length)
    return float(10 * np.log10(np.sum(np.abs(shifted) ** 2) / np.sum(np.abs(after - shifted) ** 2)))


def pitches(samples: Samples) -> np.ndarray:
    """The frequencies of the voice, 40 ms by 40 ms, where there is one."""
    found: list[float] = []
    for frame in np.array_split(samples, len(samples) // (RATE // 25)):
        power = np.abs(np.fft.rfft(frame * np.hanning(len(frame)), 4 * len(frame))) ** 2
        likeness = np.fft.irfft(power)
        lags = likeness[RATE // 400 : RATE // 70]
        if lags.max() > 0.5 * likeness[0] > 0.05:
            found.append(RATE / (RATE // 400 + int(np.argmax(lags))))
    return np.array(found)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_voice_survives_every_format(kind: AudioFormat):
    original = voice()
    found = decoded(encoded(original, kind), kind)
    assert len(original) - 2 <= len(found) <= len(original) + RATE // 8
    assert signal_to_noise(original, found) > QUALITY[kind]


def test_compressed_files_are_small():
    seconds = len(voice()) / RATE
    sizes = {kind: len(encoded(voice(), kind)) / seconds for kind in FORMATS}
    assert sizes["opus"] < sizes["mp3"] < sizes["flac"] < sizes["wav"]
    assert sizes["mp3"] == pytest.approx(12_000, rel=0.05)
    assert sizes["pcm"] == pytest.approx(48_000, rel=0.001)


@pytest.mark.parametrize(
    ("kind", "container", "codec"),
    [
        ("mp3", "mp3", "mp3float"),
        ("opus", "ogg", "opus"),
        ("aac", "aac", "aac"),
        ("flac", "flac", "flac"),
        ("wav", "wav", "pcm_s16le"),
    ],
)
def test_a_file_is_what_it_says(kind: AudioFormat, container: str, codec: str):
    with av.open(io.BytesIO(encoded(voice(), kind)), "r") as opened:
        assert opened.format.name == container
        assert opened.streams.audio[0].codec_context.name in {codec, f"lib{codec}"}
        assert opened.streams.audio[0].codec_context.channels == 1


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.25, 2.0, 4.0])
def test_a_faster_or_slower_voice_is_the_same_voice(speed: float):
    tempo = Tempo(speed, RATE)
    found = np.concatenate([tempo.feed(voice()), tempo.finish()])
    assert len(found) * speed == pytest.approx(len(voice()), rel=0.01)
    assert np.median(pitches(found)) == pytest.approx(np.median(pitches(voice())), rel=0.06)
    loudness, usual = (np.sqrt(np.mean(sound**2)) for sound in (found, voice()))
    assert loudness == pytest.approx(usual, rel=0.1)
