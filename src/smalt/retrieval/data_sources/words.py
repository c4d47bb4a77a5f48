"""Tells how much of one text another one covers, by their words."""

import re
from functools import cache

WORD = re.compile(r"[\w]+", re.UNICODE)
SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
"""Scripts that write no spaces between words (or long compounds): pairs of letters stand for their words."""
ENDINGS = ("ings", "ing", "edly", "ied", "ies", "ed", "es", "ly", "s", "e")
SHORTEST_STEM = 3
ENGLISH = (
    "a about above after again all also am an and any are as at be because been before being below between both but "
    "by can could did do does doing down during each few for from further had has have having he her here hers him "
    "his how i if in into is it its itself just me more most my no nor not now of off on once only or other our out "
    "over own please same she should so some such tell than that the their them then there these they this those "
    "through to too under until up very was we were what when where which while who whom why will with would you your "
    "yours"
)
STOP_WORDS = frozenset(ENGLISH.split())


@cache
def stem(word: str) -> str:
    """A word without its commonest English endings, so that `opens` and `opening` are one."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM:
            return word[: -len(ending)]
    return word


def content_words(text: str) -> set[str]:
    """The words of a text that say something, as stems."""
    found: set[str] = set()
    for word in WORD.findall(text.casefold()):
        if SPACELESS.search(word):
            found.update(word[place : place + 2] for place in range(max(1, len(word) - 1)))
        elif word not in STOP_WORDS and (len(word) > 1 or word.isdigit()):
            found.add(stem(word))
    return found


def coverage(wanted: set[str], found: set[str]) -> float:
    """The share of the wanted words that were found; 1 when none are wanted."""
    return len(wanted & found) / len(wanted) if wanted else 1.0
