"""Says what a message's sentences rest on: takes the model's marks out of the text, and cites where it forgot them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from smalt.tools.evidence import LEAST_OF_BEST, LEAST_SUPPORT, Evidence, says_enough
from smalt.tools.marks import Mark, Marks
from smalt.tools.protocols import Json, Source

STOPS = ".!?"
SPACELESS_STOPS = "\u3002\uff01\uff1f"
"""Full stops of scripts without spaces between sentences."""
CLOSERS = "\"'\u201d\u2019)*_]"
"""What may stand between a full stop and the space behind it."""
NOT_FIRST = ".,;:!?)]}'\"\u201d\u2019-*\u2022#>|"
"""What a sentence does not begin with: the end of the one before, or the sign of a list."""
FOLDERS = ("sandbox:/mnt/data/", "/mnt/data/", "")
"""How models write where a container's file is."""
PLAIN = re.compile(r"[^ \t\[【]+")
SPACES = re.compile(r"[ \t]+")
LONGEST_ABBREVIATION = 3
FENCE_LENGTH = 3
"""So many backticks begin and end code."""
PREPOSITIONS = "to in from by see per of and with on as laut nach siehe aus von und selon voir dans et según ver en y"
NOUN_BEFORE = frozenset(PREPOSITIONS.split())
"""Behind these words a mark stands for the source's name: `according to [doc1]`."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """More of a message: the text to show, and what is cited by now, with places in the whole text."""

    text: str = ""
    annotations: Sequence[Json] = ()


class Annotator:
    """Reads one message's text as it comes; what it gives out in all does not depend on the pieces.

    Places are characters of the text as shown. A `file_citation` stands behind what it is for, a `url_citation`
    spans it. A `container_file_citation` spans the file's name where the text has it, or else stands at the end.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._evidence = Evidence([source.text for source in sources])
        self._marks = Marks({source.mark: number for number, source in enumerate(sources) if source.mark})
        self._files = [number for number, one in enumerate(sources) if _type(one) == "container_file_citation"]
        self._held = ""
        self._shown = 0
        self._last = "\n"
        self._is_line_marked = False
        self._marks_of_line: list[int] = []
        self._said: list[str] = []
        self._found: list[Json] = []
        self._code = _Code()
        self._begin_sentence()

    def add(self, delta: str) -> Annotated:
        """Take in more of the text; a mark that has only begun, and white space before one, wait for the next piece."""
        self._held += delta
        self._advance(is_last=False)
        return self._taken()

    def finish(self) -> Annotated:
        """What is left, when no more comes."""
        self._advance(is_last=True)
        self._end_line()
        self._end_sentence()
        self._found += [self._placed(number, self._shown, self._shown) for number in self._files]
        self._files = []
        return self._taken()

    def _taken(self) -> Annotated:
        said, self._said = self._said, []
        found, self._found = self._found, []
        return Annotated("".join(said), found)

    def _advance(self, *, is_last: bool) -> None:
        held, place = self._held, 0
        while place < len(held):
            if (plain := PLAIN.match(held, place)) is not None:
                self._show(plain[0])
                place = plain.end()
                continue
            spaces = SPACES.match(held, place)
            behind = spaces.end() if spaces else place
            if behind == len(held) and not is_last:
                break
            mark = not self._code.is_on and self._marks.at(held, behind, is_last=is_last)
            if mark is True:
                break
            if isinstance(mark, Mark):
                self._mark(mark.sources, has_space=behind > place)
                place = behind + mark.length
            else:
                self._show(held[behind if self._is_line_marked else place : behind + 1])
                place = behind + 1
        self._held = held[place:]

    def _mark(self, numbers: Sequence[int], *, has_space: bool) -> None:
        """A mark of the model; it goes from the text, but where it stands for the source's name."""
        if self._last == "\n":
            self._marks_of_line += numbers
            self._is_line_marked = True
            return
        before = "".join(self._sentence).rsplit(maxsplit=1)
        self._marked += numbers
        if before and before[-1].lower() in NOUN_BEFORE and not self._is_ended:
            names = dict.fromkeys(_name(self._sources[number]) for number in numbers)
            self._show((" " if has_space and names else "") + " and ".join(names))
        elif self._start is not None:
            self._is_marked = self._is_marked or bool(numbers)

    def _show(self, text: str) -> None:
        for letter in text:
            self._take(letter)
        self._said.append(text)

    def _take(self, letter: str) -> None:
        if self._code.take(letter):
            # What is in the fence says nothing that could be cited; what came before it is done.
            self._end_sentence()
        elif not self._code.is_on:
            self._read(letter)
        self._shown += 1
        self._last = letter
        self._is_line_marked = False

    def _read(self, letter: str) -> None:
        """One letter outside of code: it may end the sentence before, and belongs to the next one then."""
        if letter == "\n":
            self._end_line()
        if letter.isspace():
            self._is_ended = self._is_ended or self._is_stopped or letter == "\n"
            self._is_broken = self._is_broken or letter == self._last == "\n"
        else:
            if self._marks_of_line or self._is_over(letter):
                self._end_sentence()
            self._marked += self._marks_of_line
            self._marks_of_line = []
            self._is_ended = False
            self._is_stopped = letter in STOPS or (self._is_stopped and letter in CLOSERS)
            self._end = self._shown + 1
            if self._start is None and letter not in NOT_FIRST:
                self._start = self._shown
        self._sentence.append(letter)
        if letter in SPACELESS_STOPS:
            self._is_ended = True

    def _end_line(self) -> None:
        """Marks alone on a line belong to what is before; those that begin a line to what follows them there."""
        self._marked += self._marks_of_line
        self._is_marked = self._is_marked or bool(self._marks_of_line)
        self._marks_of_line = []

    def _is_over(self, letter: str) -> bool:
        """Whether the sentence is over now that this letter comes: `e.g. this` and `No. 5` go on."""
        if self._is_marked:
            return True
        if not self._is_ended or self._start is None:
            return False
        return self._is_broken or (not letter.islower() and not self._ends_in_abbreviation())

    def _ends_in_abbreviation(self) -> bool:
        """Whether what is before may go on: `Dr.` does, and a few words that say little may."""
        said = "".join(self._sentence)
        return not says_enough(said) and len(said.split()[-1].strip(STOPS + CLOSERS)) <= LONGEST_ABBREVIATION

    def _begin_sentence(self) -> None:
        self._sentence: list[str] = []
        self._start: int | None = None
        self._end = self._shown
        self._marked: list[int] = []
        self._is_marked = False
        self._is_stopped = False
        self._is_ended = False
        self._is_broken = False

    def _end_sentence(self) -> None:
        text = "".join(self._sentence)
        start = self._end if self._start is None else self._start
        placed = [self._placed(number, start, self._end) for number in self._cited(text)]
        self._found += [one for place, one in enumerate(placed) if one not in placed[:place]]
        self._found += self._mentioned(text)
        self._begin_sentence()

    def _cited(self, sentence: str) -> list[int]:
        """What a sentence rests on: what the model says unless its words are from elsewhere, or what bears it out."""
        supports = self._evidence.supports(sentence)
        if supports is None:
            return self._marked
        best = max(supports, default=0.0)
        if best < LEAST_SUPPORT:
            return self._marked
        kept = [number for number in self._marked if supports[number] >= LEAST_OF_BEST * best]
        return kept or [supports.index(best)]

    def _mentioned(self, sentence: str) -> list[Json]:
        """Citations of the files that a sentence names for the first time."""
        offset = self._shown - len(sentence)
        found: list[Json] = []
        for number in list(self._files):
            filename = str(self._sources[number].annotation.get("filename") or self._sources[number].mark)
            name = next((name for folder in FOLDERS if (name := folder + filename) in sentence), None)
            if name is not None:
                start = offset + sentence.index(name)
                self._files.remove(number)
                found.append(self._placed(number, start, start + len(name)))
        return found

    def _placed(self, number: int, start: int, end: int) -> Json:
        source = self._sources[number]
        if _type(source) in {"url_citation", "container_file_citation"}:
            return {**source.annotation, "start_index": start, "end_index": end}
        return {**source.annotation, "index": end}


class _Code:
    """Whether the text is inside a fence of backticks."""

    def __init__(self) -> None:
        self.is_on = False
        self._backticks = 0

    def take(self, letter: str) -> bool:
        """Take the next letter; whether it was the last of a fence."""
        self._backticks = self._backticks + 1 if letter == "`" else 0
        if self._backticks != FENCE_LENGTH:
            return False
        self.is_on = not self.is_on
        return True


def _type(source: Source) -> str:
    return str(source.annotation.get("type", ""))


def _name(source: Source) -> str:
    """What a person would call the source."""
    return str(source.annotation.get("filename") or source.annotation.get("title") or source.annotation.get("url", ""))
