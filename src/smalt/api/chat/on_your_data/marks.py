"""Keeps the marks of an answer true: those of no document go, sentences that a document bears out get one."""

import re
from collections.abc import Sequence

from smalt.retrieval.data_sources import Document
from smalt.retrieval.data_sources.words import content_words, coverage

LEAST_SUPPORT = 0.6
"""The least share of a sentence's words that a document must hold for its mark."""
LEAST_WORDS = 3
"""A sentence with fewer words that say something gets no mark."""

MARK = re.compile(r"[\[【]\s*doc\s?(\d+)((?:\s*[,;]\s*(?:doc\s?)?\d+)*)\s*[\]】]", re.IGNORECASE)
BEGUN_MARK = re.compile(r"[\[【](?:\s*|\s*d|\s*do|\s*doc[\s\d,;doc]{0,40})$", re.IGNORECASE)
NUMBER = re.compile(r"\d+")
STOPS = ".!?\u3002\uff01\uff1f"
"""Full stops of the scripts with spaces between sentences, and of those without."""
END = re.compile(r"[.!?]+[\"'\u201d\u2019)*]*|[\u3002\uff01\uff1f]+|\n+")
SPACE = re.compile(r"[^\S\n]+")
FENCE_LENGTH = 3
"""So many backticks begin and end code."""


class Marks:
    """Reads one choice's text as it comes, and gives it out with true marks.

    Holds back what cannot be judged yet: a mark that has only begun, and the end of a sentence until it is clear
    whether the model has put a mark behind it. Once the model has written a true mark itself, no more are added.
    """

    def __init__(self, documents: Sequence[Document], question: str) -> None:
        self._documents = [content_words(f"{one.title or ''} {one.content}") for one in documents]
        self._question = content_words(question)
        self._held = ""
        self._sentence = ""
        self._is_marked = False
        self._is_model_marking = False
        self._is_code = False
        self._backticks = 0

    def take(self, text: str) -> str:
        """Take in more of the answer; what can be said by now."""
        self._held += text
        return self._advance(is_last=False)

    def finish(self) -> str:
        """The rest, when no more comes."""
        return self._advance(is_last=True)

    def _advance(self, *, is_last: bool) -> str:
        said: list[str] = []
        while self._held:
            piece = self._next(is_last=is_last)
            if piece is None:
                break
            said.append(piece)
        if is_last:
            said.append(self._added_mark())
        return "".join(said)

    def _next(self, *, is_last: bool) -> str | None:
        """The next piece of what is held; None when more must come before it can be judged."""
        held = self._held
        place = _first_of_interest(held)
        if place > 0:
            return self._plain(place)
        if held[0] in "[【":
            return self._mark(is_last=is_last)
        if (end := END.match(held)) is not None:
            return self._end(end.end(), is_last=is_last)
        return self._spaces(is_last=is_last)

    def _plain(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        self._sentence += text
        for letter in text:
            self._backticks = self._backticks + 1 if letter == "`" else 0
            if self._backticks == FENCE_LENGTH:
                self._is_code = not self._is_code
        return text

    def _mark(self, *, is_last: bool) -> str | None:
        found = MARK.match(self._held)
        if found is None:
            return None if not is_last and BEGUN_MARK.match(self._held) else self._plain(1)
        self._held = self._held[found.end() :]
        true = self._true_numbers(found)
        if true:
            self._is_marked = self._is_model_marking = True
        return "".join(f"[doc{number}]" for number in true)

    def _true_numbers(self, mark: re.Match[str]) -> list[int]:
        numbers = dict.fromkeys(int(number) for number in NUMBER.findall(mark[0]))
        return [number for number in numbers if 1 <= number <= len(self._documents)]

    def _spaces(self, *, is_last: bool) -> str | None:
        """White space goes with what follows it: before a mark of no document it goes too."""
        found = SPACE.match(self._held)
        length = found.end() if found else 1
        rest = self._held[length:]
        if not is_last and (not rest or _may_become_mark(rest)):
            return None
        if (mark := MARK.match(rest)) and not self._true_numbers(mark):
            self._held = rest[mark.end() :]
            return ""
        return self._plain(length)

    def _end(self, length: int, *, is_last: bool) -> str | None:
        """The end of a sentence, with a mark before it if it has none and a document bears it out."""
        ended, behind = self._held[:length], self._held[length:]
        rest = behind.lstrip()
        if not is_last and (not rest or _may_become_mark(rest)):
            return None
        if mark := MARK.match(rest):
            if self._true_numbers(mark):
                # The model's own mark stands behind the full stop and belongs to what is before it.
                return self._plain(length)
            self._held = ended + rest[mark.end() :]
            return ""
        if ended[0] in ".!?" and behind and behind == rest:
            return self._plain(length)  # a full stop within a number or a name
        added, self._held = self._added_mark(), behind
        self._sentence, self._is_marked = "", False
        return added + ended

    def _added_mark(self) -> str:
        """The mark of the document that bears out the sentence, unless it has one or is code."""
        if self._is_marked or self._is_model_marking or self._is_code:
            return ""
        number = self._supporting()
        self._is_marked = number is not None
        return "" if number is None else f" [doc{number}]"

    def _supporting(self) -> int | None:
        """The first of the documents that hold most of the sentence, and something the question did not say."""
        words = content_words(self._sentence)
        if len(words) < LEAST_WORDS:
            return None
        shares = [coverage(words, known) if (words & known) - self._question else 0.0 for known in self._documents]
        best = max(shares, default=0.0)
        return shares.index(best) + 1 if best >= LEAST_SUPPORT else None


def _may_become_mark(text: str) -> bool:
    """Whether more text could still make a mark of this."""
    return BEGUN_MARK.match(text) is not None and MARK.match(text) is None


def _first_of_interest(text: str) -> int:
    """Where the first bracket, sentence's end or white space is; the length when there is none."""
    interesting = f"[【{STOPS}"
    return next((place for place, letter in enumerate(text) if letter in interesting or letter.isspace()), len(text))
