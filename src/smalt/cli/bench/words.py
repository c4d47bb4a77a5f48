"""Natural text for prompts and inputs: the language reference that Python itself carries."""

import itertools
from collections.abc import Iterator

WORDS_OF_97_TOKENS = 45


def passages(words: int) -> Iterator[str]:
    """Neighbouring pieces of prose of `words` words each, no two alike, without an end."""
    from pydoc_data.topics import topics

    prose = [word for text in topics.values() for word in text.split() if word.isascii()]
    for turn in itertools.count():
        # Each turn through the text starts one word later, so that no piece comes twice.
        for start in range(turn, len(prose) - words, words):
            yield " ".join(prose[start : start + words])
