"""Finds the sentences of an answer that its documents do not support, by the words, numbers and names they share.

No model is asked: a sentence is supported when some neighbouring sentences of the documents hold what it says. What
says the same in other words may be taken for unsupported, and what uses the right words wrongly for supported; see
docs/model-cards/attacks.md for how often.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Final, NamedTuple

SUPPORTED: Final = 0.5
"""Support from which on a sentence counts as said by the documents; chosen on validation pairs."""

NEIGHBOURS: Final = 3
LEAST_WORDS: Final = 3
"""Content words that a sentence must have to claim something."""

LONGEST_ABBREVIATION: Final = 6
"""Characters that are looked at for one, with the dot and what is before it."""

LONG: Final = 8_000
"""Characters of answer and documents from which on the work is done in a thread."""

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
# The runs never give back what they took and begin where no run is going on: else long ones take quadratic time.
_CITATION = re.compile(r"\[(?:doc)?\d++\]|\[\^\d++\]|\u3010[^\u3010\u3011]*+\u3011")
_END = re.compile(r"(?<![.!?\u3002])[.!?\u3002]++[\"')\]]*+(?=\s|\Z)|\n|\Z")
_COURTESY = re.compile(
    r"\W*(?:sure|certainly|of course|hello|hi|thanks|thank you|you're welcome|i hope"
    r"|let me know|please let me know|feel free|(?:i'm|i am) (?:sorry|afraid|happy|glad)|sorry"
    r"|i (?:could not|couldn't|cannot|can't|do not|don't)|the requested information)\b",
    re.IGNORECASE,
)
"""How sentences begin that speak of the talk itself."""
_ABBREVIATED = re.compile(r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|no|e\.g|i\.e|etc|[A-Z])\.)\Z", re.IGNORECASE)
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_SUFFIX = re.compile(r"(?:'s|\u2019s|ies|ied|ing|ed|es|s|ly)\Z")
_NEGATIONS: Final = frozenset({"not", "no", "never", "none", "neither", "nor", "cannot", "without"})
_SMALL_WORDS: Final = (
    "a about above after all also an and any are as at be because been before being between both but by can could did"
    " do does doing down during each few for from further had has have having he her here hers him his how i if in into"
    " is it its just may me might more most must my no nor not now of off on once only or other our out over own per"
    " same she should so some such than that the their them then there these they this those through to too under until"
    " up upon very was we were what when where which while who whom why will with would you your yes according"
)
_STOP_WORDS: Final = frozenset(_SMALL_WORDS.split())
_NUMBER_WORDS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
)
_NUMBERS: Final = {word: str(number) for number, word in enumerate(_NUMBER_WORDS.split())} | {
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "hundred": "100",
    "thousand": "1000",
    "dozen": "12",
}


class Span(NamedTuple):
    """Characters of an answer, the end not included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a sentence says, in the form that is compared."""

    words: tuple[str, ...]
    numbers: frozenset[str]
    names: frozenset[str]
    is_negated: bool

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset(zip(self.words, self.words[1:], strict=False))


async def ungrounded(answer: str, documents: Sequence[str]) -> list[Span]:
    """The sentences of an answer that the documents do not support; those that claim nothing are never among them."""
    if len(answer) + sum(map(len, documents)) > LONG:
        return await asyncio.to_thread(_ungrounded, answer, tuple(documents))
    return _ungrounded(answer, tuple(documents))


class Grounding:
    """Documents, prepared to be compared with sentences."""

    def __init__(self, documents: Iterable[str]) -> None:
        self._claims: list[_Claim] = []
        self._passages: list[range] = []
        for document in documents:
            first = len(self._claims)
            self._claims += [_claim(document[span.start : span.end]) for span in sentences(document)]
            self._passages += _runs(first, len(self._claims))
        self._holding = self._inverted()

    def support(self, sentence: str) -> float | None:
        """How much of a sentence the documents say, 0 to 1; None when it claims nothing."""
        claim = _claim(sentence)
        if len(claim.words) < LEAST_WORDS or sentence.rstrip().endswith(("?", ":")) or _COURTESY.match(sentence):
            return None
        weights = {word: self._weight(word) for word in claim.words}
        total = sum(weights.values())
        anywhere = sum(weights[word] for word in weights if word in self._holding) / total
        together, paired, is_negated = self._best(claim, weights)
        support = 0.5 * together / total + 0.25 * anywhere + 0.25 * paired
        support *= 0.55 if claim.numbers - self._holding.keys() else 1
        support *= 0.75 ** len(claim.names - self._holding.keys())
        return support * (0.85 if claim.is_negated and not is_negated else 1)

    def _best(self, claim: _Claim, weights: dict[str, float]) -> tuple[float, float, bool]:
        """Of the passage that says most of it: the weight of the shared words, the share of pairs, and negation."""
        shared: dict[int, float] = defaultdict(float)
        for word, weight in weights.items():
            for passage in self._holding.get(word, ()):
                shared[passage] += weight
        most = max(shared.values(), default=0.0)
        said = [self._passages[passage] for passage, weight in shared.items() if weight == most]
        return max(((most, self._paired(claim, one), self._is_negated(one)) for one in said), default=(0.0, 0.0, False))

    def _paired(self, claim: _Claim, passage: range) -> float:
        """Of the neighbouring words of a claim, the share that are neighbours in a passage too."""
        pairs = claim.pairs
        there = frozenset[tuple[str, str]]().union(*(self._claims[place].pairs for place in passage))
        return len(pairs & there) / len(pairs) if pairs else 1.0

    def _is_negated(self, passage: range) -> bool:
        return any(self._claims[place].is_negated for place in passage)

    def _inverted(self) -> dict[str, list[int]]:
        """The passages that hold each word."""
        holding: dict[str, list[int]] = defaultdict(list)
        for place, passage in enumerate(self._passages):
            for word in {word for sentence in passage for word in self._claims[sentence].words}:
                holding[word].append(place)
        return dict(holding)

    def _weight(self, word: str) -> float:
        """Rare words say more than those that are everywhere in the documents."""
        return 1 + log((1 + len(self._passages)) / (1 + len(self._holding.get(word, ()))))


@lru_cache(maxsize=4)
def _grounding(documents: tuple[str, ...]) -> Grounding:
    """The same for every stretch of an answer."""
    return Grounding(documents)


def _ungrounded(answer: str, documents: tuple[str, ...]) -> list[Span]:
    grounding = _grounding(documents)
    found: list[Span] = []
    for span in sentences(answer):
        support = grounding.support(answer[span.start : span.end])
        if support is not None and support < SUPPORTED:
            found.append(span)
    return found


def sentences(text: str) -> Iterator[Span]:
    """The sentences and lines of a text, without code blocks."""
    plain = _FENCED.sub(lambda match: "\n" * len(match.group()), text)
    start = 0
    for match in _END.finditer(plain):
        end = match.end()
        if plain[end : end + 1] == " " and _ABBREVIATED.search(plain[max(start, end - LONGEST_ABBREVIATION) : end]):
            continue
        piece = plain[start:end]
        if piece.strip():
            yield Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))
        start = end


def _runs(first: int, end: int) -> Iterator[range]:
    """Every run of neighbouring sentences of a document, so that what is said in two is found as well."""
    if end > first:
        for start in range(first, max(first, end - NEIGHBOURS) + 1):
            yield range(start, min(start + NEIGHBOURS, end))


def _claim(sentence: str) -> _Claim:
    found = [match.group() for match in _WORD.finditer(_CITATION.sub(" ", sentence))]
    words = [word for word in found if word.casefold() not in _STOP_WORDS]
    names = [word for word in found[1:] if word[0].isupper() and word.casefold() not in _STOP_WORDS]
    is_negated = any(word.casefold() in _NEGATIONS or word.casefold().endswith(("n't", "n\u2019t")) for word in found)
    return _Claim(
        words=tuple(map(_stem, words)),
        numbers=frozenset(_stem(word) for word in words if word[0].isdigit()),
        names=frozenset(map(_stem, names)),
        is_negated=is_negated,
    )


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    """A word without its ending; a number in digits, without separators."""
    if word[0].isdigit():
        return word.replace(",", "")
    word = word.casefold()
    if word in _NUMBERS:
        return _NUMBERS[word]
    stem = _SUFFIX.sub("", word)
    return stem.rstrip("e") if len(stem) > 2 else word  # noqa: PLR2004 "is" is not an ending
