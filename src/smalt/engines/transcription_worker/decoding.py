"""Decodes a recording of any container and codec, a stretch at a time."""

import io
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from smalt.core.errors import InvalidRequest
from smalt.engines.audio import invalid_file, recording_too_long

RATE = 16_000
"""Samples a second of what is given back."""

CONTAINERS = "flac,mp3,aac,ogg,wav,w64,mov,mp4,m4a,matroska,webm,mpeg,mpegts"
"""FFmpeg's readers for the formats that the API names. Others are left out: some open further files by name."""

RATES = range(1_000, 768_001)
"""Samples a second that a recording may have: from few the resampler makes gigabytes, for many it needs them."""

MIN_SECONDS = 0.1
GROUP_SAMPLES = 64_000

Samples = NDArray[np.int16]


def as_floats(samples: Samples) -> NDArray[np.float32]:
    """The same samples from -1 to 1."""
    return samples.astype(np.float32) * np.float32(2**-15)


class SoundFile:
    """A file in memory, read forward as mono samples of 16 bits.

    What is broken within the file is left out, and a file that was cut short ends where it was cut.
    """

    def __init__(self, content: bytes, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._given = 0
        self._container = _opened(content)
        if not self._container.streams.audio:
            self.close()
            raise invalid_file()
        self._blocks = self._decoded()
        self._rest = np.empty(0, np.int16)

    def read(self, count: int) -> Samples:
        """The next `count` samples; fewer at the end of the file."""
        blocks, size = [self._rest], len(self._rest)
        while size < count and (block := next(self._blocks, None)) is not None:
            blocks.append(block)
            size += len(block)
        samples = np.concatenate(blocks)
        self._rest = samples[count:].copy()
        self._count(min(size, count), is_end=size < count)
        return samples[:count]

    def close(self) -> None:
        """Let go of the decoder."""
        self._container.close()

    def _count(self, size: int, *, is_end: bool) -> None:
        self._given += size
        if is_end and self._given == 0:
            raise invalid_file()
        if is_end and self._given < MIN_SECONDS * RATE:
            raise InvalidRequest(
                f"Audio file is too short. Minimum audio length is {MIN_SECONDS} seconds.",
                param="file",
                code="audio_too_short",
            )
        if self._given > self._max_seconds * RATE:
            raise recording_too_long(self._max_seconds / 3600)

    def _decoded(self) -> Iterator[Samples]:
        setup: tuple[Any, ...] | None = None
        resampler: Any = None
        for frame in self._grouped():
            # A chain of recordings in one file may change its rate or layout in the middle.
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if found != setup:
                if resampler is not None:
                    yield from _resampled(resampler, None)
                setup, resampler = found, av.AudioResampler(format="s16", layout="mono", rate=RATE)
            yield from _resampled(resampler, frame)
        if resampler is not None:
            yield from _resampled(resampler, None)

    def _grouped(self) -> Iterator[Any]:
        """Frames of a few seconds: resampling many small ones costs much more."""
        fifo: Any = None
        setup: tuple[Any, ...] | None = None
        for frame in self._frames():
            frame.pts = None
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if found != setup:
                if frame.sample_rate not in RATES:
                    raise invalid_file()
                if fifo is not None and fifo.samples:
                    yield fifo.read()
                setup, fifo = found, av.AudioFifo()
            fifo.write(frame)
            if fifo.samples >= GROUP_SAMPLES:
                yield fifo.read()
        if fifo is not None and fifo.samples:
            yield fifo.read()

    def _frames(self) -> Iterator[Any]:
        packets = self._container.demux(self._container.streams.audio[0])
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:
                # The file is broken from here on.
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except FFmpegError:
                continue
            yield from frames


def _opened(content: bytes) -> Any:
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "pipe"}
    try:
        return av.open(io.BytesIO(content), mode="r", options=options, metadata_errors="ignore")
    except FFmpegError as error:
        raise invalid_file() from error


def _resampled(resampler: Any, frame: Any) -> Iterator[Samples]:
    try:
        blocks = resampler.resample(frame)
    except FFmpegError as error:  # such as more channels than it can mix into one
        raise invalid_file() from error
    for made in blocks:
        yield made.to_ndarray().reshape(-1)
