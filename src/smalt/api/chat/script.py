"""Cuts the text of an answer into what can be spoken already, while more of it comes."""

import re

SENTENCE_END = re.compile(r"[.!?…]++[\"'”’)\]]*\s+|[。！？]+[」』”]*|\n+")  # noqa: RUF001 - the marks of Chinese and Japanese
LONGEST_WAIT = 400
"""A text of so many characters is spoken without waiting for the end of its sentence."""

MOST = 4_000
"""Characters of one utterance; speech engines take 4,096."""

LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\([^)\n]{0,500}\)")
"""Bounded, since looking for the end of every bracket takes quadratic time otherwise."""

BLOCK_MARKS = r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|```\w*[ \t]*$|[-*_]{3,}[ \t]*$|[-*+][ \t]+)"
INLINE_MARKS = r"\*\*|__|`|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)"
MARKUP = re.compile(f"{BLOCK_MARKS}|{INLINE_MARKS}", re.MULTILINE)


class Script:
    """What one choice says: what waits to be spoken, and all that was said."""

    def __init__(self) -> None:
        self.transcript = ""
        self._spoken = 0
        self.is_ended = False

    @property
    def is_done(self) -> bool:
        """Whether all of it has been taken, and nothing more comes."""
        return self.is_ended and self._spoken == len(self.transcript)

    def add(self, text: str) -> None:
        """Take the next piece of the text."""
        self.transcript += text

    def take(self) -> str:
        """The sentences that are whole by now, and at the end the rest; empty when there is nothing to say yet."""
        start = self._spoken
        self._spoken = self._end(start)
        return self.transcript[start : self._spoken]

    def take_all(self) -> str:
        """The whole text, once it is there."""
        start = self._spoken
        if self.is_ended:
            self._spoken = len(self.transcript)
        return self.transcript[start : self._spoken]

    def _end(self, start: int) -> int:
        """Where to stop speaking for now."""
        limit = min(len(self.transcript), start + MOST)
        if self.is_ended and limit == len(self.transcript):
            return limit
        ends = [match.end() for match in SENTENCE_END.finditer(self.transcript, start, limit)]
        if ends:
            return ends[-1]
        if limit - start < LONGEST_WAIT:
            return start
        space = self.transcript.rfind(" ", start, limit)
        return limit if space <= start else space + 1


def speakable(text: str) -> str:
    """The text as it is read aloud, without the marks of Markdown; empty when there is no word in it."""
    plain = MARKUP.sub("", LINK.sub(r"\1", text)).strip()
    return plain if any(letter.isalnum() for letter in plain) else ""
