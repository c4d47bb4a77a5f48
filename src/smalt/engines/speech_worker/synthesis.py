"""What a library that speaks must offer to be served: a voice for a name, and the sound of a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Voiced:
    """The sound of a text, mono from -1 to 1, and how many tokens (or phonemes) the text had."""

    samples: Samples
    tokens: int


class Synthesizer(Protocol):
    """A loaded voice, or many; `speak` is called in one thread, everything else on the loop."""

    @property
    def sample_rate(self) -> int:
        """Samples a second of everything it speaks."""
        ...

    def voice(self, name: str) -> str:
        """The engine's own name of a voice; raises `InvalidRequest` with the param voice, naming those there are."""
        ...

    def check(self, utterance: Mapping[str, Any]) -> None:
        """Refuse by its param what cannot be honoured, before anything is spoken."""
        ...

    def own_speed(self, speed: float) -> float:
        """The part of a speed that `speak` makes itself; the rest is made afterwards, the pitch left alone."""
        ...

    def speak(self, text: str, voice: str, speed: float) -> Voiced:
        """The sound of a sentence or less; no samples when there is nothing to say in it."""
        ...

    def stop(self) -> None:
        """End the `speak` in hand soon, whatever it returns or raises then; called from another thread."""
        ...
