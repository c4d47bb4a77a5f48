"""Reads plain text and source code as they are, and Markdown with its headings."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from smalt.retrieval.extraction.encodings import decoded
from smalt.retrieval.extraction.outline import Outline

HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
UNDERLINE = re.compile(r" {0,3}(=+|-{2,})\s*$")
LONGEST_LINE = 1 << 16


def read_text(path: Path, outline: Outline) -> None:
    """Take the text as it stands."""
    for piece in decoded(path):
        outline.text(piece)


def read_markdown(path: Path, outline: Outline) -> None:
    """Take the text as it stands; a heading outside of code puts what follows under itself."""
    fence = ""
    before = ""
    for line in _lines(decoded(path)):
        marker = FENCE.match(line)
        if marker and (not fence or marker[1].startswith(fence)):
            fence = "" if fence else marker[1]
        if not fence and (match := HEADING.match(line)):
            outline.under(len(match[1]), " ".join(match[2].split()))
        elif not fence and before and (match := UNDERLINE.match(line)):
            # The title itself was a line of the passage before; what follows stands under it.
            outline.under(1 if match[1][0] == "=" else 2, before)
        outline.text(line)
        before = "" if fence or marker or HEADING.match(line) else _title(line)


def _title(line: str) -> str:
    """What a line says if the next one underlines it; lists, quotes and rows of tables are no titles."""
    return "" if line.lstrip().startswith(("-", "*", "+", ">", "|")) else " ".join(line.split())


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Lines with their ends; an endless line comes in pieces."""
    rest = ""
    for piece in pieces:
        lines = (rest + piece).splitlines(keepends=True)
        rest = lines.pop() if lines and not lines[-1].endswith("\n") and len(lines[-1]) < LONGEST_LINE else ""
        yield from lines
    if rest:
        yield rest
