"""Natural text for prompts and inputs: the language reference that Python itself carries."""

import itertools
import re
from collections.abc import Iterator

WORD = re.compile(r"[A-Za-z]")


def passages(words: int) -> Iterator[str]:
    """Neighbouring pieces of prose of `words` words each, no two alike, without an end."""
    from pydoc_data.topics import topics

    prose = [word for text in topics.values() for word in text.split() if WORD.search(word)]
    for turn in itertools.count():
        # Each turn through the text starts one word later, so that no piece comes twice.
        for start in range(turn, len(prose) - words, words):
            yield " ".join(prose[start : start + words])
