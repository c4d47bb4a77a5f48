"""Sound to bytes of a file while it is made, and sound to faster or slower sound; both by PyAV, without a seek."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, log2
from typing import Any

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from smalt.engines.audio import AudioFormat

Samples = NDArray[np.float32]

FILE_RATE = 24_000
"""Samples a second in every file, whatever the engine's own rate: what OpenAI sends."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How FFmpeg calls the parts of a format; `bit_rate` 0 is the codec's own matter."""

    container: str
    encoder: str
    bit_rate: int = 0
    options: dict[str, str] = field(default_factory=dict[str, str])


CODECS: dict[AudioFormat, Codec] = {
    "mp3": Codec("mp3", "libmp3lame", 96_000, {"id3v2_version": "0"}),
    # A page every 100 ms, so that a player need not wait for a second of sound.
    "opus": Codec("ogg", "libopus", 48_000, {"page_duration": "100000"}),
    "aac": Codec("adts", "aac", 96_000),
    "flac": Codec("flac", "flac", 0, {"metadata_header_padding": "0"}),
    "wav": Codec("wav", "pcm_s16le"),
    "pcm": Codec("s16le", "pcm_s16le"),
}

# Bit-exact files name no writer, so the WAV header has its usual 44 bytes and the same sound gives the same file.
STREAMED = {"flush_packets": "1", "fflags": "bitexact"}


class Sink:
    """Takes bytes from a container. It cannot seek, so sizes in headers stay open (0xFFFFFFFF in WAV)."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        """Keep bytes until they are taken."""
        self._written += data
        return len(data)

    def take(self) -> bytes:
        """Everything written since the last time."""
        taken = bytes(self._written)
        self._written.clear()
        return taken


class Encoder:
    """Turns mono samples at an engine's rate into one file; bytes come while samples are fed."""

    def __init__(self, format: AudioFormat, sample_rate: int) -> None:  # noqa: A002 the reference's own word
        codec = CODECS[format]
        self._rate = sample_rate
        self._fed = 0
        self._sink = Sink()
        # PyAV's stubs leave type parameters open, so these two are Any.
        self._container: Any = av.open(self._sink, "w", format=codec.container, options={**STREAMED, **codec.options})
        self._stream: Any = self._container.add_stream(codec.encoder, rate=FILE_RATE, layout="mono")
        self._stream.codec_context.thread_count = 1
        if codec.bit_rate:
            self._stream.codec_context.bit_rate = codec.bit_rate

    def encode(self, samples: Samples) -> bytes:
        """The bytes that are ready after these samples; none when the codec wants more first."""
        if len(samples):
            self._mux(_frame(samples, self._rate, self._fed))
            self._fed += len(samples)
        return self._sink.take()

    def finish(self) -> bytes:
        """The last bytes of the file; no file is without sound, so one that would be gets a little silence."""
        begun = self.encode(np.zeros(max(0, self._rate // 10 - self._fed), np.float32))
        self._mux(None)
        self._container.close()
        return begun + self._sink.take()

    def _mux(self, frame: av.AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


class Tempo:
    """Makes sound faster or slower and leaves its pitch alone; `speed` 1 passes it through."""

    def __init__(self, speed: float, sample_rate: int) -> None:
        self._rate = sample_rate
        self._fed = 0
        self._graph = None if speed == 1 else _tempo_graph(speed, sample_rate)

    def feed(self, samples: Samples) -> Samples:
        """The samples that are ready after these."""
        if self._graph is None:
            return samples
        ready: list[Samples] = []
        # The filter gives sound in pieces like those that it is fed, one piece late.
        for start in range(0, len(samples), size := self._rate // 20):
            block = samples[start : start + size]
            self._graph.push(_frame(block, self._rate, self._fed))
            self._fed += len(block)
            ready.append(_pulled(self._graph))
        return _joined(ready)

    def finish(self) -> Samples:
        """The last samples."""
        if self._graph is None or not self._fed:
            return _joined([])
        self._graph.push(None)
        return _pulled(self._graph)


def _frame(samples: Samples, rate: int, position: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples, np.float32)[np.newaxis], format="fltp", layout="mono"
    )
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = position
    return frame


def _tempo_graph(speed: float, rate: int) -> Graph:
    graph = Graph()
    # One stage stretches to half or double; beyond that it would leave samples out.
    stages = max(1, ceil(abs(log2(speed))))
    source = graph.add_abuffer(sample_rate=rate, format="fltp", layout="mono", time_base=Fraction(1, rate))
    filters = [source, *(graph.add("atempo", f"{speed ** (1 / stages):.9f}") for _ in range(stages))]
    graph.link_nodes(*filters, graph.add("abuffersink")).configure()
    return graph


def _pulled(graph: Graph) -> Samples:
    pulled: list[Samples] = []
    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):  # it wants more sound first, or has given all
            break
        assert isinstance(frame, av.AudioFrame)
        pulled.append(frame.to_ndarray()[0].astype(np.float32, copy=False))
    return _joined(pulled)


def _joined(parts: list[Samples]) -> Samples:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
