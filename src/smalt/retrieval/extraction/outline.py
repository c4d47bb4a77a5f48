"""Collects what a reader finds: text in reading order, under the page and the headings where it stands."""

from collections.abc import Callable

from smalt.retrieval.protocols import Passage

LONGEST_PASSAGE = 32_768
"""Longer text is handed on in pieces, so that a large document is never in memory as a whole."""

LONGEST_HEADING = 300
DEEPEST_HEADING = 9
LONGEST_PATH = 1000
SEPARATOR = " > "

Emit = Callable[[Passage], None]


class Outline:
    """Hands on passages; their texts, put together, are the document."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._page: int | None = None
        self._headings: dict[int, str] = {}
        self._pieces: list[str] = []
        self._length = 0

    def page(self, number: int) -> None:
        """What follows is on this page; pages count from 1."""
        self.flush()
        self._page = number

    def top(self) -> None:
        """What follows stands under no heading."""
        self.flush()
        self._headings = {}

    def heading(self, level: int, title: str) -> None:
        """A heading begins, which is part of the text too; level 1 is the highest."""
        title = " ".join(title.split())
        if title:
            self.under(level, title)
            self.paragraph(title)

    def under(self, level: int, title: str) -> None:
        """What follows stands under this heading; its own text is added by the caller."""
        self.flush()
        level = max(1, min(level, DEEPEST_HEADING))
        self._headings = {upper: text for upper, text in self._headings.items() if upper < level}
        self._headings[level] = title[:LONGEST_HEADING]

    def paragraph(self, text: str) -> None:
        """A paragraph, a list item or a row; blank ones are left out."""
        if text and not text.isspace():
            self.text(text.strip("\n") + "\n\n")

    def line(self, text: str) -> None:
        """A line that belongs with the next one, such as a row of a table."""
        if text and not text.isspace():
            self.text(text.strip("\n") + "\n")

    def text(self, text: str) -> None:
        """Text as it stands."""
        self._pieces.append(text)
        self._length += len(text)
        if self._length > LONGEST_PASSAGE:
            self._hand_on_most()

    def flush(self) -> None:
        """Hand on what was collected; the last call of a reader."""
        text, self._pieces, self._length = "".join(self._pieces), [], 0
        if text:
            path = SEPARATOR.join(self._headings[level] for level in sorted(self._headings))[:LONGEST_PATH]
            self._emit(Passage(text, self._page, path or None))

    def _hand_on_most(self) -> None:
        """Hand on whole passages of what was collected, cut behind a line or at least behind a word."""
        text, start = "".join(self._pieces), 0
        while len(text) - start > LONGEST_PASSAGE:
            end = start + LONGEST_PASSAGE
            middle = start + LONGEST_PASSAGE // 2
            end = max(text.rfind("\n", middle, end), text.rfind(" ", end - 1000, end), start) + 1
            end = end if end > middle else start + LONGEST_PASSAGE
            self._pieces = [text[start:end]]
            self.flush()
            start = end
        self._pieces = [text[start:]]
        self._length = len(text) - start
