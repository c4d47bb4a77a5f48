"""Texts to the phonemes that Kokoro learned, by espeak-ng; one thread at a time, for espeak-ng is one per process."""

import logging
import re
from functools import cache
from typing import Any

import espeakng_loader
from phonemizer.backend import EspeakBackend
from phonemizer.backend.espeak.wrapper import EspeakWrapper

from smalt.engines.speech_worker.sentences import without_short_stops
from smalt.engines.speech_worker.wording import in_english_words

TIE = "^"
"""espeak-ng writes it between letters that are one sound, which Kokoro writes as one letter."""

# Letters that look like others are written by their numbers: small capital I 026a, glottal stop 0294, long 02d0.
ONE_SOUND = {
    "a^\u026a": "I",
    "a^ʊ": "W",
    "e^\u026a": "A",
    "o^ʊ": "O",
    "ə^ʊ": "Q",
    "ɔ^\u026a": "Y",
    "d^z": "ʣ",
    "d^ʒ": "ʤ",
    "t^s": "ʦ",
    "t^ʃ": "ʧ",
}
ENGLISH = {**ONE_SOUND, "ə^l": "ᵊl", "e^ə": "ɛ\u02d0", "\u0294n\u0329": "tᵊn", "\u0294n": "tᵊn", "\u0294": "t"}
REDUCED = {"ɚ": "əɹ", "ɐ": "ə", "r": "ɹ", "x": "k", "ʲ": ""}
AMERICAN = {**ENGLISH, **REDUCED, "ɜ\u02d0ɹ": "ɜɹ", "ɜ\u02d0": "ɜɹ", "\u026aə": "iə", "\u02d0": ""}
BRITISH = {**ENGLISH, **REDUCED, "iə": "\u026aə"}
SYLLABIC = re.compile("(\\S)\u0329")

MARKS = re.compile(
    r"([\s]*[;:,.!?\u2026\u2014\u00a1\u00bf\"\u00ab\u00bb\u201c\u201d(){}\[\]]+(?=\s|$)\s*|(?:^|\s+)[\u00a1\u00bf\"\u201c(\[]+|\s+[\u2013\u2014-]\s+)"
)
"""Marks that are heard as pauses: not those inside of a number or a word."""

NOTHING = re.compile("(?!)")


def use_own_library() -> None:
    """Let phonemizer use the espeak-ng that was installed beside it, not the system's."""
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())


def phonemes(text: str, language: str) -> str:
    """The phonemes of a text in a language of espeak-ng, its marks kept."""
    is_english = language.startswith("en")
    runs = MARKS.split(without_short_stops(in_english_words(text) if is_english else text))
    # Every other run is marks, which espeak-ng would drop.
    spoken = iter(_espeak(language).phonemize([run for run in runs[::2] if run.strip()], strip=True))
    said = [_kokoro(next(spoken), language) if run.strip() else "" for run in runs[::2]]
    marks = [re.sub(r"\s[\u2013-]\s", " \u2014 ", run) for run in runs[1::2]]
    return " ".join("".join(one for pair in zip(said, [*marks, ""], strict=True) for one in pair).split())


def _kokoro(spoken: str, language: str) -> str:
    for theirs, ours in {"en-us": AMERICAN, "en-gb": BRITISH}.get(language, ONE_SOUND).items():
        spoken = spoken.replace(theirs, ours)
    return SYLLABIC.sub(r"ᵊ\1", spoken).replace(TIE, "").replace("-", "")


@cache
def _espeak(language: str) -> Any:
    logger = logging.getLogger(__name__)
    # It tells for nearly every text that words were spoken together.
    logger.setLevel(logging.ERROR)
    return EspeakBackend(
        language,
        punctuation_marks=NOTHING,
        with_stress=True,
        tie=TIE,
        # A foreign word is spoken like one, but its language's name is not.
        language_switch="remove-flags",
        logger=logger,
    )
