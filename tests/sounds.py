"""Sounds and files that tests make themselves: silence, noise, a hum, and any container that PyAV can write."""

import io
import wave
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Samples a second of every array here; mono float32 between -1 and 1."""

Samples = NDArray[np.float32]

CONTAINERS = {
    "flac": ("flac", "flac"),
    "m4a": ("ipod", "aac"),
    "mp3": ("mp3", "libmp3lame"),
    "mp4": ("mp4", "aac"),
    "mpeg": ("mpeg", "mp2"),
    "mpga": ("mp2", "mp2"),
    "oga": ("ogg", "flac"),
    "ogg": ("ogg", "libopus"),
    "wav": ("wav", "pcm_s16le"),
    "webm": ("webm", "libopus"),
}
"""FFmpeg's container and codec for each kind of file that the API names."""


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def long_silence(hours: float) -> bytes:
    """Hours of silence in a FLAC file of a few megabytes, made a minute at a time."""
    target = io.BytesIO()
    with av.open(target, "w", format="flac") as container:
        stream: Any = cast("Any", container).add_stream("flac", rate=RATE, layout="mono")
        for minute in range(round(hours * 60)):
            frame = _frame(silence(60))
            frame.pts = minute * 60 * RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def noise(seconds: float, *, level: float = 0.1) -> Samples:
    """White noise, always the same."""
    drawn = np.random.default_rng(7).standard_normal(round(seconds * RATE))
    return (level * drawn).clip(-1, 1).astype(np.float32)


def hum(seconds: float, *, hertz: float = 50.0, level: float = 0.2) -> Samples:
    """The hum of the mains, with its overtones."""
    time = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * hertz * overtone * time) / overtone for overtone in (1, 2, 3, 5)]
    return (level / 2 * np.sum(tones, axis=0)).astype(np.float32)


def samples_of(content: bytes) -> Samples:
    """The sound of any file, decoded."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    with av.open(io.BytesIO(content), "r") as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def wav(samples: Samples) -> bytes:
    """A WAV file of 16-bit samples."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return target.getvalue()


def encoded(samples: Samples, kind: str) -> bytes:
    """A file of one of `CONTAINERS`."""
    container_name, codec = CONTAINERS[kind]
    target = io.BytesIO()
    rate = 48_000 if codec == "libopus" else RATE
    with av.open(target, "w", format=container_name) as container:
        stream: Any = cast("Any", container).add_stream(codec, rate=rate)
        stream.layout = "mono"
        container.mux(stream.encode(_frame(samples)))
        container.mux(stream.encode(None))
    return target.getvalue()


def film(samples: Samples | None = None) -> bytes:
    """A grey film of a second in MP4, with a sound if one is given."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        picture: Any = cast("Any", container).add_stream("mpeg4", rate=5)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        sound: Any = cast("Any", container).add_stream("aac", rate=RATE, layout="mono") if samples is not None else None
        for _ in range(5):
            grey = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), format="yuv420p")
            container.mux(picture.encode(grey))
        container.mux(picture.encode(None))
        if samples is not None:
            container.mux(sound.encode(_frame(samples)))
            container.mux(sound.encode(None))
    return target.getvalue()


def wav_of_g722(content: bytes) -> bytes:
    """Telephone sound, which has no header, as a WAV file."""
    with av.open(io.BytesIO(content), "r", format="g722") as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return wav((np.concatenate(frames) / 32_768).astype(np.float32))


def _frame(samples: Samples) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = RATE
    frame.pts = 0
    return frame
