"""Cuts texts into sentences, which are judged by themselves too: among harmless ones a harmful one is easily lost."""

import re
from typing import Final

LEAST: Final = 25
"""Characters of the shortest sentence that is judged by itself; a shorter one goes with the next, if there is one."""

FEW: Final = 3
"""Sentences of a short text, whose score as a whole tells whether one of them has to be judged by itself."""

SUSPECT: Final = 0.005
"""From this score of any harm on. Of 204 short texts with a harmful sentence, one had less: docs/content-filters.md."""

# The runs never give back what they took and begin where none is going on: else long ones take quadratic time.
_END: Final = re.compile(r"(?<![.!?])[.!?]++[\"')\]]*+(?=\s|\Z)|\n\s*+")


def sentences_of(text: str) -> list[str]:
    """The sentences and lines of a text."""
    return next_sentences(text, 0, is_whole=True)[0]


def apart(text: str) -> list[str]:
    """The sentences of a text that has more than one."""
    found = sentences_of(text)
    return [] if found == [text.strip()] else found


def next_sentences(text: str, start: int, *, is_whole: bool) -> tuple[list[str], int]:
    """The sentences from a place on, and where the next one begins; the last has an end when the text is whole."""
    found: list[str] = []
    for match in _END.finditer(text, start):
        end = match.end()
        # What ends with the text so far may go on: "3." and then "5".
        is_over = is_whole or end < len(text) or match.group().startswith("\n")
        if is_over and len(sentence := text[start:end].strip()) >= LEAST:
            found.append(sentence)
            start = end
    if is_whole and (rest := text[start:].strip()):
        found.append(rest)
        start = len(text)
    return found, start
