"""Speaks through an engine, and hears with faster-whisper itself what was spoken."""

import io
from functools import cache
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel
from faster_whisper.transcribe import TranscriptionInfo

from audio_serving import word_error_rate
from recordings import Clip
from smalt.engines.audio import SpeechAudio, SpeechEnd, SpeechEngine, Utterance

ALICE = """
Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do. Once or twice
she had peeped into the book her sister was reading, but it had no pictures or conversations in it, "and what is the use
of a book," thought Alice, "without pictures or conversations?"

So she was considering in her own mind, as well as she could, for the hot day made her feel very sleepy and stupid,
whether the pleasure of making a daisy-chain would be worth the trouble of getting up and picking the daisies, when
suddenly a White Rabbit with pink eyes ran close by her.

There was nothing so very remarkable in that; nor did Alice think it so very much out of the way to hear the Rabbit say
to itself, "Oh dear! Oh dear! I shall be too late!"
"""
"""The beginning of *Alice's Adventures in Wonderland* by Lewis Carroll, 1865.

His parentheses are commas here, because Whisper's normaliser leaves out what stands in them.
"""


async def spoken(engine: SpeechEngine, text: str, voice: str, **wanted: Any) -> tuple[bytes, SpeechEnd]:
    """The whole file and what was told in the end."""
    items = [item async for item in engine.speak(Utterance(text, voice, **wanted))]
    end = items[-1]
    assert isinstance(end, SpeechEnd)
    return b"".join(item.data for item in items if isinstance(item, SpeechAudio)), end


def heard(content: bytes, data_dir: Path, language: str | None = None) -> tuple[str, TranscriptionInfo]:
    """The words of a file, and what else Whisper says of it."""
    segments, info = _whisper(data_dir).transcribe(
        io.BytesIO(content), language=language, beam_size=5, condition_on_previous_text=False
    )
    return " ".join(segment.text.strip() for segment in segments), info


def misheard(content: bytes, text: str, data_dir: Path) -> float:
    """The share of a spoken English text's words that are heard wrongly."""
    return word_error_rate([Clip("spoken", content, text)], [heard(content, data_dir, "en")[0]])


@cache
def _whisper(data_dir: Path) -> WhisperModel:
    return WhisperModel(str(data_dir / "models" / "transcription"), device="cpu", compute_type="int8", cpu_threads=2)
