"""Cuts long texts in pieces, so that whoever asks about a short text waits for one piece and not for a book."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

PIECE_CHARACTERS: Final = 1200
"""Some 270 tokens of English, which take a core about a tenth of a second."""

OVERLAP_CHARACTERS: Final = 120
"""What two neighbours share: a sentence on the border is seen whole by one of them."""

BORDERS: Final = (re.compile(r"(?<=[.!?\n])\s"), re.compile(r"\s"))
"""Where a piece may end, the best first."""


def pieces(text: str) -> Iterator[str]:
    """The text as it is, or in overlapping pieces."""
    start = 0
    while len(text) - start > PIECE_CHARACTERS:
        end = _border(text, start + PIECE_CHARACTERS // 2, start + PIECE_CHARACTERS)
        yield text[start:end]
        start = _border(text, end - OVERLAP_CHARACTERS, end - OVERLAP_CHARACTERS // 2)
    yield text[start:]


def shares(texts: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """Every text's pieces with the text's place, in shares of about one piece: what is worked at without a break."""
    share: list[tuple[int, str]] = []
    size = 0
    for place, text in enumerate(texts):
        for piece in pieces(text):
            if share and size + len(piece) > PIECE_CHARACTERS:
                yield share
                share, size = [], 0
            share.append((place, piece))
            size += len(piece)
    if share:
        yield share


def _border(text: str, earliest: int, latest: int) -> int:
    """The last good place to cut between two places; the later one where there is none."""
    for border in BORDERS:
        ends = [match.end() for match in border.finditer(text, earliest, latest)]
        if ends:
            return ends[-1]
    return latest
