"""Tells which source bears out a sentence: by the words they share, of which rare ones weigh more."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import fsum, log

from smalt.retrieval.data_sources.words import content_words

LEAST_WORDS = 3
"""A sentence with fewer words that say something is borne out by nothing."""
LEAST_SUPPORT = 0.45
"""The least weight of a sentence's words, as a share of all, that its source must hold.

Chosen, like the next three, over answers of the starter model to questions about Django's guides, each with the
section that answers and seven that are like it: of 54 citations 51 named that section. Over MITRE ATT&CK, which chose
nothing, all 10 did.
"""
LEAST_SHARED = 4
"""So many words must be in both, or all but a little of a shorter sentence."""
LEAST_OF_SHORT = 0.75
LEAST_OF_BEST = 0.5
"""A source that the model itself names is believed, unless it holds less than this share of what another one does."""
WINDOW = 3
"""So many sentences of a source in a row are held against one sentence."""

SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])|\n+")


class Evidence:
    """The texts of several sources, ready to be held against sentences; a source without text bears out nothing."""

    def __init__(self, texts: Sequence[str]) -> None:
        sources = [[words for part in SENTENCE.split(text) if (words := content_words(part))] for text in texts]
        self._windows = [_windows(sentences) for sentences in sources]
        self._counts = Counter(word for sentences in sources for words in sentences for word in words)
        self._size = sum(map(len, sources))

    def supports(self, sentence: str) -> list[float] | None:
        """How far each source bears out a sentence, in 0..1; None for a sentence that says too little."""
        words = content_words(sentence)
        if len(words) < LEAST_WORDS:
            return None
        weights = {word: self._weight(word) for word in words}
        return [max((_support(weights, window) for window in windows), default=0.0) for windows in self._windows]

    def _weight(self, word: str) -> float:
        """How much a word tells: the fewer of the sources' sentences have it, the more."""
        return log(1 + (1 + self._size) / (1 + self._counts[word]))


def _support(weights: Mapping[str, float], window: set[str]) -> float:
    """The share of a sentence's weight that some words hold; none when they share too few."""
    shared = weights.keys() & window
    # Added up exactly, so that the order of a set makes no difference.
    support = fsum(weights[word] for word in shared) / fsum(weights.values())
    is_enough = len(shared) >= LEAST_SHARED or support >= LEAST_OF_SHORT
    return support if is_enough else 0.0


def says_enough(sentence: str) -> bool:
    """Whether a sentence has enough words that say something to be held against a source."""
    return len(content_words(sentence)) >= LEAST_WORDS


def _windows(sentences: Sequence[set[str]]) -> list[set[str]]:
    """The words of every few sentences in a row."""
    last = max(1, len(sentences) - WINDOW + 1)
    return [set[str]().union(*sentences[start : start + WINDOW]) for start in range(last)] if sentences else []
