"""Finds what operators do not want to read: the terms and the regular expressions of block lists."""

import asyncio
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, Protocol

from smalt.core.errors import InvalidRequest
from smalt.store.blocklists import Blocklist, BlocklistItem, Blocklists

FRESH_SECONDS: Final = 1.0

# Scripts that write no spaces: Thai, Lao, Tibetan, Burmese, Khmer, kana, Han. Each of their characters counts as a
# word, so that a term is found within a sentence.
UNSPACED: Final = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Marks that belong to the letter before them, which \w leaves out.
MARKS: Final = (
    "\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
    "\u200c\u200d"
)
WORD: Final = re.compile(rf"[{UNSPACED}]|(?:(?![{UNSPACED}])[\w{MARKS}])+|\S")


class Pattern(Protocol):
    """A compiled regular expression."""

    def search(self, text: str) -> object | None:
        """The first match; None if there is none."""
        ...


def words(text: str) -> list[str]:
    """A text's words and marks, however they are written: upper or lower case, wide or narrow."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def compiled(regex: str) -> Pattern:
    """A regular expression in RE2's syntax, which takes linear time; upper and lower case are the same."""
    re2 = _re2()
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(regex, options)
    except re2.error as error:
        raise InvalidRequest(
            f"The regular expression '{regex}' is not one of RE2's (github.com/google/re2/wiki/Syntax): {_told(error)}."
        ) from error


def check_item(item: BlocklistItem) -> None:
    """Raise `InvalidRequest` for what nothing can match: a term without words, a faulty regular expression."""
    if item.is_regex:
        compiled(item.text)
    elif not words(item.text):
        raise InvalidRequest(f"The term {item.text!r} has no words or marks to look for.")


class Matcher:
    """One block list, ready to be looked for."""

    def __init__(self, items: Sequence[BlocklistItem]) -> None:
        self._terms: dict[str, list[list[str]]] = {}
        self._patterns = [compiled(item.text) for item in items if item.is_regex]
        for term in (words(item.text) for item in items if not item.is_regex):
            if term:
                self._terms.setdefault(term[0], []).append(term)

    def matches(self, text: str, told: Sequence[str]) -> bool:
        """Whether something of the list is in a text, whose words are `told`."""
        return any(self._candidates(told)) or any(pattern.search(text) for pattern in self._patterns)

    def _candidates(self, told: Sequence[str]) -> Iterator[bool]:
        for place, word in enumerate(told):
            for term in self._terms.get(word, ()):
                yield told[place : place + len(term)] == term


class LiveBlocklists:
    """The block lists as they are now, at most `fresh_seconds` out of date."""

    def __init__(self, blocklists: Blocklists, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._blocklists = blocklists
        self._fresh_seconds = fresh_seconds
        self._matchers: Mapping[str, Matcher] = {}
        self._revision: int | None = None
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def names(self) -> list[str]:
        """The lists there are."""
        await self._refresh()
        return sorted(self._matchers)

    async def matching(self, names: Sequence[str], texts: Sequence[str]) -> list[str]:
        """Those of the lists that match one of the texts; a list that was deleted matches nothing."""
        await self._refresh()
        matchers = {name: self._matchers[name] for name in names if name in self._matchers}
        if not matchers:
            return []
        return await asyncio.to_thread(_matching, matchers, texts)

    async def _refresh(self) -> None:
        if time.monotonic() - self._looked_at < self._fresh_seconds:
            return
        async with self._looking:
            looked_at = time.monotonic()
            if looked_at - self._looked_at < self._fresh_seconds:
                return
            changed = await self._blocklists.changed_since(self._revision)
            if changed is not None:
                self._matchers = await asyncio.to_thread(_matchers, changed.blocklists)
                self._revision = changed.revision
            self._looked_at = looked_at


def _matchers(blocklists: Sequence[Blocklist]) -> dict[str, Matcher]:
    return {one.name: Matcher(one.items) for one in blocklists}


def _matching(matchers: Mapping[str, Matcher], texts: Sequence[str]) -> list[str]:
    told = [(text, words(text)) for text in texts]
    return [name for name, matcher in matchers.items() if any(matcher.matches(*one) for one in told)]


def _told(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


@cache
def _re2() -> Any:
    # Only lists with regular expressions need it.
    import re2

    return re2
