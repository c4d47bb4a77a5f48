"""Speaks with espeak-ng: a voice is a language, with a variant behind a plus if another throat is wanted."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from smalt.core.errors import EngineFailed, UnsupportedParameter, UnsupportedValue
from smalt.engines.espeak_worker.library import EspeakLibrary
from smalt.engines.speech_worker.synthesis import Voiced

WORDS_A_MINUTE = 175
"""The library's own rate."""

SPEEDS = (0.5, 2.0)
"""Between these the library keeps to a rate; below 80 words a minute it does not go."""

OPENAI_VOICES = {
    "alloy": ("en-us", "f2"),
    "ash": ("en-us", "m3"),
    "ballad": ("en-gb", "m1"),
    "coral": ("en-us", "Annie"),
    "echo": ("en-us", "m4"),
    "fable": ("en-gb", "m2"),
    "onyx": ("en-us", "m1"),
    "nova": ("en-us", "f4"),
    "sage": ("en-us", "f1"),
    "shimmer": ("en-us", "f5"),
    "verse": ("en-us", "m6"),
    "marin": ("en-gb", "f2"),
    "cedar": ("en-us", "m5"),
}
"""The languages and variants behind the names that clients ask for."""


class EspeakSynthesizer:
    """All voices of the library; `language`, when given, is what the names of OpenAI's voices speak."""

    def __init__(self, language: str | None) -> None:
        self._library = EspeakLibrary()
        self._languages = {code.lower(): name for code, name in self._library.languages().items()}
        self._variants = {name.lower(): name for name in self._library.variants()}
        self._openai = {
            name: f"{self._language(language or own)}+{variant}" for name, (own, variant) in OPENAI_VOICES.items()
        }

    @property
    def sample_rate(self) -> int:
        """What the library makes."""
        return self._library.sample_rate

    def voice(self, name: str) -> str:
        """The library's name of a language and variant; upper and lower case are one."""
        if voice := self._openai.get(name.lower()):
            return voice
        code, plus, variant = name.lower().partition("+")
        if code not in self._languages or (plus and variant not in self._variants):
            raise UnsupportedValue(
                f"Unknown voice '{name}'. The voices are {', '.join(self._openai)}, and every language "
                f"({', '.join(self._languages)}) by itself or with a variant, as in de+f2 "
                f"({', '.join(sorted(self._variants.values()))}).",
                param="voice",
            )
        return self._languages[code] + (f"+{self._variants[variant]}" if plus else "")

    def check(self, utterance: Mapping[str, Any]) -> None:
        """Refuse instructions: the library knows of no manner."""
        if utterance["instructions"]:
            raise UnsupportedParameter("instructions", "espeak-ng has one manner of speaking; leave them out.")

    def own_speed(self, speed: float) -> float:
        """The speed within what the library makes by itself."""
        return min(max(speed, SPEEDS[0]), SPEEDS[1])

    def speak(self, text: str, voice: str, speed: float) -> Voiced:
        """The sound of a sentence or less, and its phonemes as tokens."""
        spoken = self._library.speak(text, voice, round(WORDS_A_MINUTE * speed))
        return Voiced(spoken.samples.astype(np.float32) / np.float32(2**15), spoken.phonemes)

    def stop(self) -> None:
        """End the `speak` in hand."""
        self._library.stop()

    def _language(self, name: str) -> str:
        if own_name := self._languages.get(name.lower()):
            return own_name
        raise EngineFailed(
            f"The option language of the engine espeak_ng is {name!r}, which espeak-ng does not speak; "
            f"it speaks {', '.join(self._languages)}."
        )
