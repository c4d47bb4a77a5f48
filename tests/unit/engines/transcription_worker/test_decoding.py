"""Any file with sound becomes samples; any other is refused."""

import io
import struct
import zipfile

import av
import numpy as np
import pytest

import sounds
from smalt.core.errors import InvalidRequest
from smalt.engines.transcription_worker.decoding import RATE, SoundFile

SECONDS = 3.0


@pytest.fixture(scope="module")
def tone() -> sounds.Samples:
    """A tone that rises, so that no two moments are alike."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    return (0.4 * np.sin(2 * np.pi * (200 + 150 * time) * time)).astype(np.float32)


def decoded(content: bytes, block: int = 10_000, max_seconds: float = 60) -> np.ndarray:
    """The whole file, read a little at a time."""
    file = SoundFile(content, max_seconds)
    blocks = [file.read(block)]
    while len(blocks[-1]) == block:
        blocks.append(file.read(block))
    file.close()
    return np.concatenate(blocks) / 32768


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The largest correlation of two sounds at any shift."""
    size = 1 << (len(one) + len(other)).bit_length()
    spectra = np.fft.rfft(one, size).conj() * np.fft.rfft(other, size)
    return float(np.fft.irfft(spectra, size).max() / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("kind", sorted(sounds.CONTAINERS))
def test_every_kind_of_file_is_decoded_by_its_content(kind: str, tone: sounds.Samples):
    heard = decoded(sounds.encoded(tone, kind))
    assert len(heard) / RATE == pytest.approx(SECONDS, abs=0.08)
    assert likeness(tone, heard) > 0.97


def test_stereo_at_another_rate_becomes_mono_of_the_same_length(tone: sounds.Samples):
    target = io.BytesIO()
    with av.open(target, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[np.newaxis], format="flt", layout="stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    heard = decoded(target.getvalue())
    assert len(heard) / RATE == pytest.approx(SECONDS, abs=0.05)
    assert likeness(tone, heard) > 0.97


@pytest.mark.parametrize("kind", ["flac", "mp3", "mpga", "oga", "wav", "webm"])
def test_a_file_that_was_cut_short_is_read_as_far_as_it_goes(kind: str, tone: sounds.Samples):
    whole = sounds.encoded(tone, kind)
    heard = decoded(whole[: len(whole) // 2])
    assert 0.2 * SECONDS < len(heard) / RATE < 0.7 * SECONDS


@pytest.mark.parametrize("kind", ["m4a", "mp4"])
def test_a_file_whose_index_was_cut_off_is_refused(kind: str, tone: sounds.Samples):
    whole = sounds.encoded(tone, kind)
    with pytest.raises(InvalidRequest, match="Invalid file format"):
        decoded(whole[: len(whole) // 2])


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", "wav", "webm"])
def test_what_is_broken_within_a_file_is_left_out(kind: str, tone: sounds.Samples):
    content = bytearray(sounds.encoded(np.tile(tone, 3), kind))
    middle = len(content) // 2
    content[middle : middle + 400] = np.random.default_rng(3).bytes(400)
    assert 1.5 * SECONDS < len(decoded(bytes(content))) / RATE < 3.1 * SECONDS


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("speech.wav", "no sound")
    return target.getvalue()


def silent_film() -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def odd_wav(rate: int, channels: int) -> bytes:
    """A WAV file whose header has such numbers."""
    content = bytearray(sounds.wav(sounds.noise(3)))
    struct.pack_into("<HIIH", content, 22, channels, rate, 2 * rate * channels, 2 * channels)
    return bytes(content)


NO_SOUND = {
    "nothing": b"",
    "text": b"These are words that nobody spoke.\n" * 40,
    "zeros": bytes(5000),
    "random bytes": np.random.default_rng(5).bytes(50_000),
    "zip": zipped(),
    "the head of a WAV file": sounds.wav(sounds.silence(1))[:44],
    "a film without sound": silent_film(),
    "a list of other files": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "a sample a second": odd_wav(1, 1),
    "eight samples a second": odd_wav(8, 1),
    "two billion samples a second": odd_wav(2**31 - 1, 1),
    "more channels than can be mixed": odd_wav(16_000, 20),
    "a script for FFmpeg": b"ffconcat version 1.0\nfile /etc/passwd\n",
}


@pytest.mark.parametrize("name", list(NO_SOUND))
def test_what_is_no_sound_is_refused_in_the_words_of_the_api(name: str):
    with pytest.raises(InvalidRequest) as refused:
        decoded(NO_SOUND[name])
    assert refused.value.param == "file"
    assert refused.value.message == (
        "Invalid file format. Supported formats: "
        "['flac', 'm4a', 'mp3', 'mp4', 'mpeg', 'mpga', 'oga', 'ogg', 'wav', 'webm']"
    )


@pytest.mark.parametrize(("rate", "channels"), [(1_000, 1), (4_000, 1), (192_000, 1), (16_000, 6), (16_000, 8)])
def test_unusual_rates_and_channels_are_heard(rate: int, channels: int):
    samples = 3 * RATE
    assert len(decoded(odd_wav(rate, channels))) == pytest.approx(samples * RATE / (rate * channels), rel=0.02)


def test_less_than_a_tenth_of_a_second_is_too_short():
    with pytest.raises(InvalidRequest) as refused:
        decoded(sounds.wav(sounds.noise(0.05)))
    assert (refused.value.param, refused.value.code) == ("file", "audio_too_short")


def test_a_recording_that_is_too_long_is_refused():
    with pytest.raises(InvalidRequest, match="longer than") as refused:
        decoded(sounds.encoded(sounds.silence(30), "flac"), max_seconds=20)
    assert refused.value.param == "file"
