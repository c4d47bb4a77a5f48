"""Ends a text where a stop text begins, though both come in pieces."""

from collections.abc import Sequence


class StopWatch:
    """Passes text on as soon as it cannot be the beginning of a stop text."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.is_over = False
        """Whether a stop text was found; what comes after it is dropped."""

    def feed(self, piece: str) -> str:
        """Take in a piece and return what may be sent."""
        if self.is_over:
            return ""
        text = self._held + piece
        found = [(start + len(stop), start) for stop in self._stops if (start := text.find(stop)) >= 0]
        if found:
            self.is_over = True
            self._held = ""
            # The first to be complete counts, so that it does not matter in which pieces the text came.
            return text[: min(found)[1]]
        kept = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def close(self) -> str:
        """What was held back, now that nothing more comes."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` begin `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
