"""Finds in a text the marks that a model was asked to write, such as `[doc1]`, also when it writes them its own way."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MARK = re.compile(r"\[([a-z]+)(\d+)\]")
LONGEST = 60
"""Characters of the longest mark; what goes on for longer is text."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark in a text: its length there, and the sources it is of; none when nobody gave out its number."""

    length: int
    sources: Sequence[int]


class Marks:
    """The marks of some sources. A model may also write `[doc 1]`, `[Doc1, doc2]`, `[doc1, 2]` or `【doc1】`."""

    def __init__(self, sources: Mapping[str, int]) -> None:
        found = [(match, number) for mark, number in sources.items() if (match := MARK.fullmatch(mark))]
        self._sources = {(match[1], int(match[2])): number for match, number in found}
        words = sorted({match[1] for match, _ in found})
        word, begun = "|".join(words), "|".join(word[:length] for word in words for length in range(len(word)))
        number = rf"(?:(?:{word})[ \t]?)?\d{{1,6}}"
        self._whole = re.compile(
            rf"[\[【][ \t]*(?=[a-z])({number}(?:[ \t]*[,;&][ \t]*{number})*)[ \t]*[\]】]", re.IGNORECASE
        )
        self._part = re.compile(rf"[\[【][ \t]*(?:{begun}|(?:{word})[ \t\d,;&{word}]*)", re.IGNORECASE)
        self._number = re.compile(rf"({word})?[ \t]?(\d+)", re.IGNORECASE)

    def at(self, text: str, place: int, *, is_last: bool) -> Mark | bool:
        """The mark that stands at a place; False when none does, True when that is not known before more comes."""
        if not self._sources or text[place : place + 1] not in {"[", "【"}:
            return False
        piece = text[place : place + LONGEST]
        if (found := self._whole.match(piece)) is not None:
            return Mark(found.end(), self._read(found[1]))
        return not is_last and len(piece) < LONGEST and self._part.fullmatch(piece) is not None

    def _read(self, inside: str) -> list[int]:
        numbers: list[int] = []
        word = ""
        for found in self._number.finditer(inside):
            word = (found[1] or word).lower()
            number = self._sources.get((word, int(found[2])))
            if number is not None and number not in numbers:
                numbers.append(number)
        return numbers
