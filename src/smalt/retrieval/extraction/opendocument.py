"""Reads OpenDocument texts and presentations (.odt, .odp)."""

from pathlib import Path

from smalt.retrieval.extraction.archives import opened
from smalt.retrieval.extraction.markup import Attributes, valued, walk
from smalt.retrieval.extraction.outline import Outline
from smalt.retrieval.extraction.refusal import DocumentRefused

CONTENT = "content.xml"
HIDDEN = frozenset({"tracked-changes", "annotation", "forms"})
MOST_SPACES = 100


def read_opendocument(path: Path, outline: Outline) -> None:
    """Read the text; the pages are those of a presentation, a text document has none."""
    with opened(path) as archive:
        if CONTENT not in archive.namelist():
            raise DocumentRefused("The document is damaged: it has no content.xml. Save it again in its own program.")
        reader = OpenDocumentReader(outline)
        with archive.open(CONTENT) as part:
            walk(part, start=reader.start, end=reader.end, text=reader.text)
    outline.flush()


class OpenDocumentReader:
    """Collects paragraphs; one may stand within another, such as a note or the text of a frame."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._open: list[list[str]] = []
        self._level = 0
        self._hidden = ""
        self._depth = 0
        self._pages = 0

    def start(self, name: str, attributes: Attributes) -> None:
        """Begin an element."""
        if self._hidden:
            self._depth += name == self._hidden
        elif name in HIDDEN:
            self._hidden, self._depth = name, 1
        elif name in {"p", "h"}:
            self._open.append([])
            self._level = int(valued(attributes, "outline-level") or 1) if name == "h" else 0
        elif name == "page":
            self._pages += 1
            self._outline.page(self._pages)
        elif self._open:
            self._open[-1].append(_white(name, attributes))

    def end(self, name: str) -> None:
        """End an element; a paragraph is complete."""
        if self._hidden:
            self._depth -= name == self._hidden
            self._hidden = self._hidden if self._depth else ""
        elif name in {"p", "h"} and self._open:
            text = "".join(self._open.pop())
            if name == "h":
                self._outline.heading(self._level or 1, text)
            else:
                self._outline.paragraph(text)

    def text(self, text: str) -> None:
        """Take text that is shown."""
        if self._open and not self._hidden:
            self._open[-1].append(text)


def _white(name: str, attributes: Attributes) -> str:
    """The white space that an element stands for."""
    if name == "s":
        return " " * min(MOST_SPACES, int(valued(attributes, "c") or 1))
    return {"tab": "\t", "line-break": "\n"}.get(name, "")
