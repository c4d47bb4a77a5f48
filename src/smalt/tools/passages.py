"""Puts passages before a model: each under a mark that it may cite, as many as there is room for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from smalt.tools.conversation import earlier_sources
from smalt.tools.protocols import Json, Source

MOST_TOLD_BYTES = 12_000
"""About three thousand tokens: what a small model can take in beside the conversation, in a bearable time."""
LEAST_BYTES = 200
"""A passage is not cut shorter than this, but left out."""
LEAST_REPEATED = 40
"""Characters that two passages must share to be seen as overlapping."""
NOTHING = "Nothing was found. Say so, or search again in other words."


@dataclass(frozen=True, slots=True)
class Passage:
    """A text to be told: where it is from in words, the text, and the annotation that cites it."""

    heading: str
    text: str
    annotation: Json


class Passages:
    """Gives out marks (`[doc1]`, `[doc2]`…) over all calls of a run and the runs before it, each mark once."""

    def __init__(self, word: str, room_bytes: int = MOST_TOLD_BYTES) -> None:
        self._word = word
        self._room = room_bytes
        self._given = 0

    def go_on_behind(self, items: Sequence[Json]) -> None:
        """Give out no mark that the items have."""
        marks = [one.mark or "" for one in earlier_sources(items)]
        numbers = [int(found[1]) for mark in marks if (found := re.fullmatch(rf"\[{self._word}(\d+)\]", mark))]
        self._given = max([self._given, *numbers])

    def told(self, passages: Sequence[Passage]) -> tuple[str, list[Source]]:
        """What the model reads, best first as far as there is room, and what it may cite of that."""
        sources: list[Source] = []
        blocks: list[str] = []
        room = self._room
        for passage in passages:
            text = without_repeats(passage.text.strip(), [one.text for one in sources])
            piece = text.encode()[:room].decode(errors="ignore")
            if not piece or (len(piece) < len(text) and room < LEAST_BYTES):
                continue
            self._given += 1
            mark = f"[{self._word}{self._given}]"
            blocks.append(f"{mark} {passage.heading}\n{piece}")
            sources.append(Source(passage.annotation, piece, mark))
            room -= len(piece.encode())
        if not sources:
            return NOTHING, []
        return "\n\n".join(blocks), sources


def without_repeats(text: str, told: Sequence[str]) -> str:
    """A text without its beginning or end where a text that was told before ends or begins with it."""
    for other in told:
        if text in other:
            return ""
        if (length := _shared(other, text)) >= LEAST_REPEATED:
            text = text[length:].lstrip()
        elif (length := _shared(text, other)) >= LEAST_REPEATED:
            text = text[:-length].rstrip()
    return text


def _shared(first: str, second: str) -> int:
    """The most characters that end the first text and begin the second."""
    probe = second[:LEAST_REPEATED]
    place = first.find(probe) if len(probe) == LEAST_REPEATED else -1
    while place >= 0:
        if second.startswith(first[place:]):
            return len(first) - place
        place = first.find(probe, place + 1)
    return 0
