"""Finds the sentences of an answer that its documents do not support, by the words, numbers and names they share.

No model is asked: a sentence is supported when some neighbouring sentences of the documents hold what it says. What
says the same in other words may be taken for unsupported, and what uses the right words wrongly for supported; see
docs/model-cards/attacks.md for how often.
"""

import asyncio
import re
from collections import Counter
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

LONG: Final = 20_000
"""Characters of documents from which on the work is done in a thread."""

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CITATION = re.compile(r"\[(?:doc)?\d+\]|\[\^\d+\]|\u3010[^\u3011]*\u3011")
_SENTENCE = re.compile(r"[^\n]+?(?:[.!?\u3002]+[\"')\]]*(?=\s|\Z)|(?=\n|\Z))")
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


@dataclass(frozen=True, slots=True)
class _Passage:
    """Neighbouring sentences of a document."""

    words: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    is_negated: bool


async def ungrounded(answer: str, documents: Sequence[str]) -> list[Span]:
    """The sentences of an answer that the documents do not support; those that claim nothing are never among them."""
    if len(answer) + sum(map(len, documents)) > LONG:
        return await asyncio.to_thread(_ungrounded, answer, documents)
    return _ungrounded(answer, documents)


class Grounding:
    """Documents, prepared to be compared with sentences."""

    def __init__(self, documents: Iterable[str]) -> None:
        self._passages = [passage for document in documents for passage in _passages(document)]
        self._everything = frozenset[str]().union(*(passage.words for passage in self._passages))
        self._frequencies = Counter(word for passage in self._passages for word in passage.words)

    def support(self, sentence: str) -> float | None:
        """How much of a sentence the documents say, 0 to 1; None when it claims nothing."""
        claim = _claim(sentence)
        if len(claim.words) < LEAST_WORDS or sentence.rstrip().endswith(("?", ":")) or _COURTESY.match(sentence):
            return None
        weights = {word: self._weight(word) for word in claim.words}
        total = sum(weights.values())
        anywhere = sum(weights[word] for word in weights if word in self._everything) / total
        together, paired, is_negated = self._best(claim, weights)
        support = 0.5 * together / total + 0.25 * anywhere + 0.25 * paired
        support *= 0.55 if claim.numbers - self._everything else 1
        support *= 0.75 ** len(claim.names - self._everything)
        return support * (0.85 if claim.is_negated and not is_negated else 1)

    def _best(self, claim: _Claim, weights: dict[str, float]) -> tuple[float, float, bool]:
        """Of the passage that says most of it: the weight of the shared words, the share of pairs, and negation."""
        pairs = claim.pairs
        best = (0.0, 0.0, False)
        for passage in self._passages:
            shared = sum(weight for word, weight in weights.items() if word in passage.words)
            if shared >= best[0]:
                paired = len(pairs & passage.pairs) / len(pairs) if pairs else 1.0
                best = max(best, (shared, paired, passage.is_negated))
        return best

    def _weight(self, word: str) -> float:
        """Rare words say more than those that are everywhere in the documents."""
        return 1 + log((1 + len(self._passages)) / (1 + self._frequencies[word]))


def _ungrounded(answer: str, documents: Sequence[str]) -> list[Span]:
    grounding = Grounding(documents)
    found: list[Span] = []
    for span in sentences(answer):
        support = grounding.support(answer[span.start : span.end])
        if support is not None and support < SUPPORTED:
            found.append(span)
    return found


def sentences(text: str) -> Iterator[Span]:
    """The sentences and lines of a text, without code blocks."""
    plain = _FENCED.sub(lambda match: "\n" * len(match.group()), text)
    start: int | None = None
    for match in _SENTENCE.finditer(plain):
        start = match.start() if start is None else start
        if _ABBREVIATED.search(match.group()) and plain[match.end() : match.end() + 1] == " ":
            continue
        piece = plain[start : match.end()]
        if piece.strip():
            yield Span(start + len(piece) - len(piece.lstrip()), match.end() - len(piece) + len(piece.rstrip()))
        start = None
    if start is not None:
        yield Span(start, len(plain.rstrip()))


def _passages(document: str) -> Iterator[_Passage]:
    """Every run of neighbouring sentences, so that what is said in two is found as well."""
    claims = [_claim(document[span.start : span.end]) for span in sentences(document)]
    for start in range(max(1, len(claims) - NEIGHBOURS + 1) if claims else 0):
        run = claims[start : start + NEIGHBOURS]
        yield _Passage(
            words=frozenset(word for claim in run for word in claim.words),
            pairs=frozenset(pair for claim in run for pair in claim.pairs),
            is_negated=any(claim.is_negated for claim in run),
        )


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
