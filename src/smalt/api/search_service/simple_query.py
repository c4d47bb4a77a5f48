"""The simple query syntax of Azure AI Search: + | - "…" ( ), read to a tree that says whether a text fits."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from smalt.core.errors import InvalidRequest

MODE = Literal["any", "all"]
MOST_DEPTH = 32
WORD = re.compile(r"\w+")
TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[+|()]|-(?=\S))|(?P<phrase>"(?:[^"\\]|\\.)*"?)|(?P<word>(?:\\.|[^\s()|"\\])+)|(?P<rest>.))"""
)
ENDINGS = ("ations", "ation", "ingly", "edly", "ings", "ing", "ies", "ied", "ely", "ed", "es", "ly", "s", "e", "y")
LEAST_STEM = 3


@dataclass(frozen=True, slots=True)
class Words:
    """Words that stand side by side, by their stems; one word, or a phrase."""

    stems: tuple[str, ...]

    def fits(self, stems: Sequence[str]) -> bool:
        """Whether they stand in a text in this order."""
        size = len(self.stems)
        if size == 1:
            return self.stems[0] in stems
        return any(tuple(stems[start : start + size]) == self.stems for start in range(len(stems) - size + 1))


@dataclass(frozen=True, slots=True)
class Without:
    """What must not be there."""

    query: "Query"

    def fits(self, stems: Sequence[str]) -> bool:
        """Whether it is not there."""
        return not self.query.fits(stems)


@dataclass(frozen=True, slots=True)
class All:
    """Queries that must all fit."""

    queries: tuple["Query", ...]

    def fits(self, stems: Sequence[str]) -> bool:
        """Whether all fit."""
        return all(query.fits(stems) for query in self.queries)


@dataclass(frozen=True, slots=True)
class Any:
    """Queries of which one must fit."""

    queries: tuple["Query", ...]

    def fits(self, stems: Sequence[str]) -> bool:
        """Whether one fits."""
        return any(query.fits(stems) for query in self.queries)


Query = Words | Without | All | Any


@dataclass(frozen=True, slots=True)
class SimpleQuery:
    """A query as read: `words` to look for, and `tree` where more is asked than that one of them is there."""

    words: str
    tree: Query | None

    def fits(self, text: str) -> bool:
        """Whether a text has what was asked for."""
        return self.tree is None or self.tree.fits(stems_of(text))


def read_query(text: str, mode: MODE) -> SimpleQuery:
    """Read a query; raises `InvalidRequest` for what cannot be honoured."""
    reader = _Reader(text, mode)
    tree = reader.choice()
    words = " ".join(reader.wanted)
    if not words:
        raise InvalidRequest(
            "The query asks for no word. Give at least one that is to be found, or search for * to get every document.",
            param="search",
        )
    return SimpleQuery(words, tree if reader.is_strict else None)


def stems_of(text: str) -> list[str]:
    """The words of a text without case and endings, in order."""
    return [stem(word) for word in WORD.findall(text)]


def stem(word: str) -> str:
    """A word without case and, roughly, without its English ending; the same for both sides of a comparison."""
    word = word.lower()
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= LEAST_STEM:
            rest = word[: -len(ending)]
            # "planned" and "plan" are one word.
            return rest[:-1] if len(rest) > LEAST_STEM and rest[-1] == rest[-2] else rest
    return word


class _Reader:
    """Reads from the loosest operator to the tightest: |, then white space, then +, then -."""

    def __init__(self, text: str, mode: MODE) -> None:
        self._tokens = [(str(match.lastgroup), match[str(match.lastgroup)]) for match in TOKEN.finditer(text.rstrip())]
        self._join: Callable[[tuple[Query, ...]], Query] = All if mode == "all" else Any
        self._next = 0
        self._depth = 0
        self.wanted: list[str] = []
        self.is_strict = mode == "all"

    def choice(self) -> Query | None:
        """Alternatives."""
        parts = [self._row()]
        while self._take("|"):
            self.is_strict = True
            parts.append(self._row())
        return _joined(Any, parts)

    def _row(self) -> Query | None:
        """Neighbours: what must not be there always counts, the rest as the search mode says."""
        parts: list[Query | None] = []
        while self._peek() not in (None, "|", ")") or (not self._depth and self._take(")")):
            parts.append(self._sum())
        without = [part for part in parts if isinstance(part, Without)]
        rest = _joined(self._join, [part for part in parts if not isinstance(part, Without)])
        return _joined(All, [rest, *without])

    def _sum(self) -> Query | None:
        parts = [self._one()]
        while self._take("+"):
            self.is_strict = True
            parts.append(self._one())
        return _joined(All, parts)

    def _one(self) -> Query | None:
        if self._take("-"):
            return self._opposite()
        if self._take("+"):
            return self._one()
        if self._take("("):
            return self._group()
        if self._peek() in (None, "|", ")"):
            self._take(")")
            return None
        kind, token = self._tokens[self._next]
        self._next += 1
        return self._phrase(token) if kind == "phrase" else self._word(token)

    def _opposite(self) -> Query | None:
        self.is_strict = True
        wanted = len(self.wanted)
        inner = self._one()
        del self.wanted[wanted:]
        return Without(inner) if inner is not None else None

    def _group(self) -> Query | None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise InvalidRequest(f"The query has more than {MOST_DEPTH} brackets inside one another.", param="search")
        inner = self.choice()
        self._take(")")
        self._depth -= 1
        return inner

    def _phrase(self, token: str) -> Query | None:
        self.is_strict = True
        return self._words(token.strip('"'))

    def _word(self, token: str) -> Query | None:
        if token.endswith("*") and not token.endswith("\\*") and WORD.search(token):
            raise InvalidRequest(
                f"The query has the prefix '{token}', and beginnings of words are not searched for. Leave the * out: "
                "words are found in every form.",
                param="search",
            )
        return self._words(token)

    def _words(self, text: str) -> Query | None:
        words = WORD.findall(text.replace("\\", " "))
        self.wanted += words
        return Words(tuple(map(stem, words))) if words else None

    def _peek(self) -> str | None:
        if self._next >= len(self._tokens):
            return None
        kind, token = self._tokens[self._next]
        return token if kind == "mark" else "word"

    def _take(self, mark: str) -> bool:
        is_next = self._peek() == mark
        self._next += is_next
        return is_next


def _joined(join: Callable[[tuple[Query, ...]], Query], parts: Sequence[Query | None]) -> Query | None:
    kept = tuple(part for part in parts if part is not None)
    return join(kept) if len(kept) > 1 else kept[0] if kept else None
