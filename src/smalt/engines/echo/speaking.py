"""Says a text in tones, one for each word, so that it can be read back from what is heard."""

import math
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from smalt.core.errors import UnsupportedValue
from smalt.engines.audio import AudioFormat, SpeechEnd, Utterance
from smalt.engines.echo import marks
from smalt.engines.echo.silence import RATE, AacSilence, FlacSilence, Mp3Silence, OpusSilence, Silence
from smalt.engines.echo.words import tokens_of

VOICES: Final = (
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
)
LETTER_SAMPLES: Final = 1_440
TOKENS_A_SECOND: Final = 20
LOUDNESS: Final = 6_000
LOWEST_PERIOD: Final = 40
VOICE_STEP: Final = 8
WORD_STEPS: Final = 32
SILENT: Final[dict[AudioFormat, type[Silence]]] = {
    "mp3": Mp3Silence,
    "opus": OpusSilence,
    "aac": AacSilence,
    "flac": FlacSilence,
}


@dataclass(frozen=True, slots=True)
class Speech:
    """A text on its way to sound: its words, and the samples that each of them takes."""

    utterance: Utterance
    words: list[str]
    sizes: list[int]

    @property
    def end(self) -> SpeechEnd:
        """What it comes to."""
        samples = sum(self.sizes)
        instructed = len(tokens_of(self.utterance.instructions or ""))
        return SpeechEnd(len(self.words) + instructed, math.ceil(samples * TOKENS_A_SECOND / RATE), samples / RATE)

    def pieces(self) -> Iterator[bytes]:
        """The file, a word at a time: tones in `wav` and `pcm`; formats that need a codec are silent as long."""
        silent = SILENT.get(self.utterance.format)
        return self._tones() if silent is None else self._silence(silent())

    def _tones(self) -> Iterator[bytes]:
        opening = _wav_header(2 * sum(self.sizes)) if self.utterance.format == "wav" else b""
        for word, size in zip(self.words, self.sizes, strict=True):
            yield opening + marks.hidden(word, self._tone(word, size))
            opening = b""

    def _tone(self, word: str, size: int) -> bytes:
        """One tone; who speaks and how is in its pitch, and so is the word."""
        said = f"{self.utterance.instructions or ''}/{word}".encode()
        voice = VOICES.index(self.utterance.voice)
        period = LOWEST_PERIOD + VOICE_STEP * voice + crc32(said) % WORD_STEPS
        cycle = array("h", [round(LOUDNESS * math.sin(2 * math.pi * place / period)) for place in range(period)])
        if sys.byteorder == "big":
            cycle.byteswap()
        return (cycle.tobytes() * (size // period + 1))[: 2 * size]

    def _silence(self, silence: Silence) -> Iterator[bytes]:
        opening = silence.opening(marks.tag("".join(self.words), round(1000 * sum(self.sizes) / RATE)))
        spoken = first = 0
        for place, size in enumerate(self.sizes, 1):
            spoken += size
            until = math.ceil(spoken / silence.frame_samples)
            yield opening + silence.frames(first, until - first, is_last=place == len(self.sizes))
            opening, first = b"", until


def speech(utterance: Utterance) -> Speech:
    """Make ready to say a text; refuses a voice that an echo does not have."""
    if utterance.voice not in VOICES:
        message = f"Unsupported value: 'voice' does not support '{utterance.voice}' with this model. Supported values "
        raise UnsupportedValue(f"{message}are: {', '.join(map(repr, VOICES))}.", param="voice")
    words = tokens_of(utterance.text)
    return Speech(utterance, words, [round(len(word) * LETTER_SAMPLES / utterance.speed) for word in words])


def _wav_header(size: int) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)
