"""The echo engine's own tokens: words with the white space before them."""

import re
from collections.abc import Iterable, Sequence
from itertools import cycle, islice

TOKEN = re.compile(r"\s*\S+|\s+")


def tokens_of(text: str) -> list[str]:
    """Split a text so that its tokens joined are the text again."""
    return TOKEN.findall(text)


def count(texts: Iterable[str]) -> int:
    """How many tokens some texts have together."""
    return sum(len(tokens_of(text)) for text in texts)


def stopped(text: str, stop: str | Sequence[str] | None) -> str:
    """A text up to the first of its stop sequences, if it has one."""
    words = [stop] if isinstance(stop, str) else list(stop or ())
    ends = [place for word in words if word and (place := text.find(word)) >= 0]
    return text[: min(ends)] if ends else text


def repeated(tokens: list[str], length: int | None) -> list[str]:
    """The tokens over and over, until there are exactly `length`; as they are when there is no length."""
    return tokens if length is None else list(islice(cycle(tokens or [" echo"]), length))
