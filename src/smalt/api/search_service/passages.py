"""Finds the sentences of a text that say most about a query, and marks the words in them."""

import re
from collections.abc import Iterator

from smalt.api.search_service.simple_query import WORD, stem, stems_of

SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n{2,}|\n(?=[-*•#])")
LONGEST = 400
"""Characters of a passage; a longer sentence is cut between words."""
MOST_HIGHLIGHTS = 5
COMMON_WORDS = """
a about an and are as at be but by can do does for from had has have how i if in into is it its my no not of on or our
so such than that the their them then there these they this to was we were what when where which who why will with
you your
"""
COMMON = frozenset(COMMON_WORDS.split())


def terms_of(query: str) -> frozenset[str]:
    """The stems of a query's words, without the words that every text has."""
    stems = {stem(word) for word in WORD.findall(query) if word.lower() not in COMMON}
    return frozenset(stems or stems_of(query))


def best_passage(text: str, terms: frozenset[str]) -> str:
    """The sentence with most of the terms; of equals the first."""
    return max(sentences(text), key=lambda sentence: _worth(sentence, terms), default=text[:LONGEST])


def highlighted_passages(text: str, terms: frozenset[str], marks: tuple[str, str]) -> list[str]:
    """The sentences that have one of the terms, with the words marked; the best ones first."""
    found = [sentence for sentence in sentences(text) if _worth(sentence, terms) > 0]
    best = sorted(found, key=lambda sentence: -_worth(sentence, terms))[:MOST_HIGHLIGHTS]
    return [marked(sentence, terms, marks) for sentence in best]


def marked(text: str, terms: frozenset[str], marks: tuple[str, str]) -> str:
    """A text with its words of these stems between two marks; unchanged when it has none of them."""
    before, after = marks
    pieces: list[str] = []
    end = 0
    for match in WORD.finditer(text):
        if stem(match[0]) in terms:
            pieces += [text[end : match.start()], before, match[0], after]
            end = match.end()
    return "".join([*pieces, text[end:]])


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, none longer than a passage may be."""
    for sentence in SENTENCE_END.split(text):
        rest = " ".join(sentence.split())
        while len(rest) > LONGEST:
            cut = rest.rfind(" ", 0, LONGEST) + 1 or LONGEST
            yield rest[:cut].strip()
            rest = rest[cut:]
        if WORD.search(rest):
            yield rest


def _worth(sentence: str, terms: frozenset[str]) -> float:
    """How many different terms a sentence has; long sentences count a little less."""
    stems = stems_of(sentence)
    return len(terms & set(stems)) - len(stems) / 1000 if terms & set(stems) else 0.0
