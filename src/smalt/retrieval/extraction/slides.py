"""Reads presentations (.pptx): every slide in order, with its table rows, diagrams' text and speaker notes."""

import posixpath
import re
import zipfile
from pathlib import Path

from smalt.retrieval.extraction.archives import opened
from smalt.retrieval.extraction.markup import Attributes, walk
from smalt.retrieval.extraction.outline import Outline

PRESENTATION = "ppt/presentation.xml"
NUMBER = re.compile(r"(\d+)\.xml$")
RELATED = ("notesSlide", "chart", "diagramData")
"""What belongs to a slide and has text of its own."""

TITLES = frozenset({"title", "ctrTitle"})


def read_slides(path: Path, outline: Outline) -> None:
    """Read the slides; a slide's number is its page, its title the heading."""
    with opened(path) as archive:
        for number, name in enumerate(_slides(archive), start=1):
            outline.page(number)
            outline.top()
            _read_part(archive, name, outline)
            for related in _related(archive, name):
                _read_part(archive, related, outline)
    outline.flush()


def _slides(archive: zipfile.ZipFile) -> list[str]:
    """The slides in the order they are shown; by their numbers when the presentation does not tell."""
    present = set(archive.namelist())
    targets = _relations(archive, PRESENTATION)
    order: list[str] = []

    def start(name: str, attributes: Attributes) -> None:
        # One of its attributes is the id of a relation.
        if name == "sldId":
            order.extend(targets[value][1] for value in attributes.values() if value in targets)

    with archive.open(PRESENTATION) as part:
        walk(part, start=start, end=_ignore, text=_ignore)
    shown = [name for name in dict.fromkeys(order) if name in present]
    return shown or sorted((name for name in present if re.fullmatch(r"ppt/slides/slide\d+\.xml", name)), key=_number)


def _related(archive: zipfile.ZipFile, name: str) -> list[str]:
    present = set(archive.namelist())
    return [target for kind, target in _relations(archive, name).values() if kind in RELATED and target in present]


def _relations(archive: zipfile.ZipFile, name: str) -> dict[str, tuple[str, str]]:
    """What a part refers to: ids to kinds and names of parts."""
    folder, file = posixpath.split(name)
    listing = f"{folder}/_rels/{file}.rels"
    found: dict[str, tuple[str, str]] = {}

    def start(element: str, attributes: Attributes) -> None:
        if element == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            full = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            found[attributes.get("Id", "")] = (attributes.get("Type", "").rpartition("/")[2], full)

    if listing in archive.namelist():
        with archive.open(listing) as part:
            walk(part, start=start, end=_ignore, text=_ignore)
    return found


def _read_part(archive: zipfile.ZipFile, name: str, outline: Outline) -> None:
    reader = SlideReader(outline)
    with archive.open(name) as part:
        walk(part, start=reader.start, end=reader.end, text=reader.text)


class SlideReader:
    """Collects the paragraphs of one part."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._words: list[str] = []
        self._cells: list[str] | None = None
        self._is_title = False
        self._is_text = False
        self._hidden = ""

    def start(self, name: str, attributes: Attributes) -> None:
        """Begin an element."""
        if name == "sp":
            self._is_title = False
        elif name == "ph":
            self._is_title = attributes.get("type") in TITLES
        elif name == "tr":
            self._cells = []
        elif name in {"t", "v"}:
            self._is_text = not self._hidden
        elif name == "numCache" or (name == "fld" and attributes.get("type") == "slidenum"):
            # Numbers of a chart or of a page say nothing by themselves.
            self._hidden = name
        elif name in {"br", "tab"}:
            self._words.append(" ")

    def end(self, name: str) -> None:
        """End an element; a paragraph, a row or a value of a chart is complete."""
        if name in {"t", "v"}:
            self._is_text = False
        if name == self._hidden:
            self._hidden = ""
        if name in {"p", "v"}:
            self._end_paragraph()
        elif name == "tr" and self._cells is not None:
            self._outline.line("\t".join(self._cells))
            self._cells = None

    def text(self, text: str) -> None:
        """Take text that is shown."""
        if self._is_text:
            self._words.append(text)

    def _end_paragraph(self) -> None:
        text, self._words = "".join(self._words).strip(), []
        if self._cells is not None:
            self._cells.append(text)
        elif self._is_title:
            self._outline.heading(1, text)
        else:
            self._outline.line(text)


def _number(name: str) -> int:
    match = NUMBER.search(name)
    return int(match[1]) if match else 0


def _ignore(*_what: object) -> None:
    """Nothing of it is needed."""
