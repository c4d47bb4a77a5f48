"""Scores what says of itself how it is to be scored: `[[moderate violence=0.9 sexual=0.1]]` in a text or a picture."""

import re
from collections.abc import Sequence
from typing import Final

from smalt.core.errors import InvalidRequest
from smalt.engines.pictures import picture_format, unsupported_picture
from smalt.engines.protocols import Scores

TEXT_CATEGORIES: Final = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
    "jailbreak",
    "indirect_attack",
    "profanity",
)
PICTURE_CATEGORIES: Final = (
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "violence",
    "violence/graphic",
)
MARK: Final = re.compile(r"\[\[moderate((?:\s+[\w/-]+=[0-9.]+)+)\s*\]\]")


def text_scores(text: str) -> Scores:
    """The scores that the marks in a text ask for, the highest of each category; 0 for the others."""
    return _scores(text, TEXT_CATEGORIES)


def picture_scores(images: Sequence[bytes]) -> list[Scores]:
    """The same for encoded pictures, which may have the mark in a comment or after their end."""
    for number, content in enumerate(images, 1):
        if picture_format(content) is None:
            raise unsupported_picture(number)
    return [_scores(content.decode("latin-1"), PICTURE_CATEGORIES) for content in images]


def _scores(text: str, categories: Sequence[str]) -> Scores:
    scores = dict.fromkeys(categories, 0.0)
    for mark in MARK.finditer(text):
        for asked in mark[1].split():
            name, _, value = asked.partition("=")
            scores[name] = max(_known(name, scores), _probability(value, asked))
    return scores


def _known(name: str, scores: Scores) -> float:
    if name not in scores:
        raise InvalidRequest(f"The mark [[moderate …]] names '{name}'; the categories are {', '.join(scores)}.")
    return scores[name]


def _probability(value: str, asked: str) -> float:
    try:
        score = float(value)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise InvalidRequest(f"The mark [[moderate …]] says {asked}; a score goes from 0 to 1.")
    return score
