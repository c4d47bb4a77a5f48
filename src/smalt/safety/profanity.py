"""Finds swear words, by whole words and through the usual disguises."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final

_TOKEN: Final = re.compile(r"[\w@$!*#]+")
_SPELLED: Final = re.compile(r"(?<!\w)\w(?:([ .\-_])\w(?:\1\w)+)(?!\w)")
_MASK: Final = re.compile(r"[*#]")
_NONE: Final = frozenset[str]()
_STRETCHED: Final = re.compile(r"([^*#])\1{2,}")
_LETTERS: Final = str.maketrans("013457@$!", "oieastasi")
_MASKED_LETTERS: Final = 3
"""Letters that a word with stars in it must show: what shows fewer could be anything."""

_LONGEST: Final = 40
"""Letters of the longest word, at most three of the same after another."""


def is_profane(text: str) -> bool:
    """Whether a text has a swear word in it."""
    return next(profanities(text), None) is not None


def profanities(text: str) -> Iterator[str]:
    """The swear words of a text as they are written there, those that are spelled letter by letter last."""
    for match in _TOKEN.finditer(text):
        if _is_word(match.group()):
            yield match.group()
    for match in _SPELLED.finditer(text):
        if _is_word(match.group()[::2]):
            yield match.group()


def _is_word(token: str) -> bool:
    word = unicodedata.normalize("NFKC", token).casefold().strip("!*#'\u2019")
    if len(word) > _LONGEST:
        word = _STRETCHED.sub(r"\1\1\1", word)
    if len(word) > _LONGEST or not any(letter.isalpha() for letter in word):
        return False
    return any(_pattern().fullmatch(form) for form in _forms(word)) or _is_masked(word)


def _forms(word: str) -> Iterator[str]:
    """A word as it is, and without its disguises."""
    plain = word.translate(_LETTERS)
    yield word
    yield plain
    if _STRETCHED.search(plain):
        yield _STRETCHED.sub(r"\1", plain)
        yield _STRETCHED.sub(r"\1\1", plain)


def _is_masked(word: str) -> bool:
    """Whether letters that are written as stars can be those of a short swear word."""
    if not _MASK.search(word) or sum(map(str.isalpha, word)) < _MASKED_LETTERS - 1:
        return False
    shown = [(place, letter) for place, letter in enumerate(word.translate(_LETTERS)) if letter not in "*#"]
    first, *others = (_masked_words().get((len(word), place, letter), _NONE) for place, letter in shown)
    return bool(first.intersection(*others))


@cache
def _words() -> tuple[str, ...]:
    lines = resources.files("smalt.safety").joinpath("profanity_words.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word).replace(r"\*", r"\w*") for word in _words()))


@cache
def _masked_words() -> dict[tuple[int, int, str], frozenset[str]]:
    """What people write with stars, by its length and each of its letters with its place."""
    common = ("fuck", "fucks", "fucking", "fucked", "fucker", "motherfucker", "asshole", "assholes", "bullshit")
    found: dict[tuple[int, int, str], set[str]] = defaultdict(set)
    for word in (*common, *(word for word in _words() if "*" not in word)):
        for place, letter in enumerate(word):
            found[len(word), place, letter].add(word)
    return {key: frozenset(words) for key, words in found.items()}
