"""What a choice has said so far, and which of it has been looked at."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from smalt.engines.protocols import ChatDelta, CompletionDelta
from smalt.safety.blocklists import UNSPACED
from smalt.safety.results import Results
from smalt.safety.sentences import next_sentences

Delta = ChatDelta | CompletionDelta

CONTEXT: Final = 300
"""So many characters before a stretch are looked at once more, so that what crosses its border is seen."""

RECENT: Final = 3000
"""So many where copies of long passages are looked for."""

CONTENT: Final = "content"
IN_WORD: Final = re.compile(rf"(?![{UNSPACED}])\w")


def texts_of(delta: Delta) -> list[tuple[str, str]]:
    """The texts in a piece of an answer, each with the part of the answer that it goes on with."""
    if isinstance(delta, CompletionDelta):
        return [(CONTENT, delta.text)] if delta.text else []
    told = [(CONTENT, delta.content), ("refusal", delta.refusal), ("reasoning", delta.reasoning_content)]
    told += [(f"tool {call.index}", call.arguments) for call in delta.tool_calls]
    return [(part, text) for part, text in told if text]


def length(delta: Delta) -> int:
    """How many characters a piece has."""
    return sum([len(text) for _, text in texts_of(delta)])


@dataclass(slots=True)
class Transcript:
    """The texts of one choice, by the part of the answer that they are."""

    parts: dict[str, str] = field(default_factory=dict[str, str])
    _told: dict[str, int] = field(default_factory=dict[str, int])
    """Where in each part the first sentence begins that `sentences` has not told."""

    def add(self, deltas: Sequence[Delta]) -> list[str]:
        """Take in a stretch; returns its texts, each with enough of what came before it."""
        new: dict[str, list[str]] = {}
        for delta in deltas:
            for part, text in texts_of(delta):
                new.setdefault(part, []).append(text)
        return [self._grown(part, "".join(texts)) for part, texts in new.items()]

    def recent(self, deltas: Sequence[Delta]) -> list[str]:
        """The texts that a stretch, which was added before, goes on with; with more of what came before it."""
        sizes: dict[str, int] = {}
        for delta in deltas:
            for part, text in texts_of(delta):
                sizes[part] = sizes.get(part, 0) + len(text)
        return [self.parts[part][-(size + RECENT) :] for part, size in sizes.items()]

    def sentences(self, *, is_last: bool) -> list[str]:
        """The sentences that have ended since the last time, of every part; all that is left when nothing follows."""
        ended: list[str] = []
        for part, text in self.parts.items():
            found, self._told[part] = next_sentences(text, self._told.get(part, 0), is_whole=is_last)
            ended += found
        return ended

    @property
    def content(self) -> str:
        """What is said aloud."""
        return self.parts.get(CONTENT, "")

    def _grown(self, part: str, text: str) -> str:
        before = self.parts.get(part, "")
        whole = self.parts[part] = before + text
        return whole[_context(whole, len(before)) :]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of one choice, and what was said before it; nothing follows the last one."""

    choice: int
    transcript: Transcript
    deltas: Sequence[Delta]
    is_last: bool


Look = Callable[[Stretch], Awaitable[Results | None]]
"""Looks at a stretch, which becomes part of its transcript; None when there was nothing to look at."""


def ended(delta: Delta, judged: Results | None) -> Delta:
    """What ends a choice that the filter has stopped."""
    if isinstance(delta, CompletionDelta):
        return CompletionDelta(delta.choice, finish_reason="content_filter", judged=judged)
    return ChatDelta(delta.choice, finish_reason="content_filter", judged=judged)


def _context(text: str, seen: int) -> int:
    """Where to begin so that enough of what was seen is looked at again: where a word begins, if one does so near."""
    start = max(0, seen - CONTEXT)
    return text.rfind(" ", max(0, start - CONTEXT), start) + 1 or start


def last_border(deltas: Sequence[Delta]) -> int:
    """How many of the pieces end where no word is in the middle."""
    following = ""
    for count in range(len(deltas), 0, -1):
        told = "".join(text for _, text in texts_of(deltas[count - 1]))
        if told:
            is_inside = bool(IN_WORD.match(told[-1])) and (not following or bool(IN_WORD.match(following)))
            if not is_inside:
                return count
            following = told[0]
    return 0
