"""Speaks through an engine, and hears with faster-whisper itself what was spoken."""

from functools import cache
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from audio_serving import word_error_rate
from recordings import Clip
from smalt.engines.audio import SpeechAudio, SpeechEnd, SpeechEngine, Utterance
from sounds import samples_of

ALICE = """
Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do. Once or twice
she had peeped into the book her sister was reading, but it had no pictures or conversations in it, "and what is the use
of a book," thought Alice, "without pictures or conversations?"
"""
"""The beginning of *Alice's Adventures in Wonderland* by Lewis Carroll, 1865: less than the half minute that Whisper
hears at once."""

FIRST_ARTICLE = {
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "fr": "Tous les \u00eatres humains naissent libres et \u00e9gaux en dignit\u00e9 et en droits.",
    "hi": (
        "\u0938\u092d\u0940 \u092e\u0928\u0941\u0937\u094d\u092f\u094b\u0902 \u0915\u094b \u0917\u094c\u0930\u0935 "
        "\u0914\u0930 \u0905\u0927\u093f\u0915\u093e\u0930\u094b\u0902 \u0915\u0947 \u092e\u093e\u092e\u0932\u0947 "
        "\u092e\u0947\u0902 \u091c\u0928\u094d\u092e\u091c\u093e\u0924"
    ),
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignit\u00e0 e diritti.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
}
"""How the United Nations' translations of the Declaration of Human Rights begin; in Hindi half a sentence."""


async def spoken(engine: SpeechEngine, text: str, voice: str, **wanted: Any) -> tuple[bytes, SpeechEnd]:
    """The whole file and what was told in the end."""
    items = [item async for item in engine.speak(Utterance(text, voice, **wanted))]
    end = items[-1]
    assert isinstance(end, SpeechEnd)
    return b"".join(item.data for item in items if isinstance(item, SpeechAudio)), end


def misheard(content: bytes, text: str, data_dir: Path) -> float:
    """The share of a spoken English text's words that are heard wrongly."""
    segments, _ = _whisper(data_dir).transcribe(samples_of(content), language="en", beam_size=1)
    heard = " ".join(segment.text.strip() for segment in segments)
    return word_error_rate([Clip("spoken", content, text)], [heard])


def language_of(content: bytes, data_dir: Path) -> str:
    """The ISO-639-1 code of the language that a file is in, as Whisper hears it."""
    language, _, _ = _whisper(data_dir).detect_language(samples_of(content))
    return language


@cache
def _whisper(data_dir: Path) -> WhisperModel:
    return WhisperModel(str(data_dir / "models" / "transcription"), device="cpu", compute_type="int8", cpu_threads=2)
