"""Reads books (.epub): the chapters in reading order."""

import posixpath
import zipfile
from pathlib import Path
from urllib.parse import unquote

from smalt.retrieval.extraction.archives import opened
from smalt.retrieval.extraction.encodings import decode
from smalt.retrieval.extraction.html import feed_html
from smalt.retrieval.extraction.markup import Attributes, walk
from smalt.retrieval.extraction.outline import Outline
from smalt.retrieval.extraction.refusal import DocumentRefused

CONTAINER = "META-INF/container.xml"
CHAPTERS = (".xhtml", ".html", ".htm", ".xml")


def read_book(path: Path, outline: Outline) -> None:
    """Read every chapter that the book's spine names."""
    with opened(path) as archive:
        for name in _chapters(archive):
            outline.top()
            feed_html([decode(archive.read(name))], outline)
    outline.flush()


def _chapters(archive: zipfile.ZipFile) -> list[str]:
    package = Package()
    if CONTAINER not in archive.namelist():
        raise DocumentRefused("The book is damaged: it has no META-INF/container.xml. Save it again.")
    _walk(archive, CONTAINER, package)
    if package.path not in archive.namelist():
        raise DocumentRefused("The book is damaged: its package document is missing. Save it again.")
    _walk(archive, package.path, package)
    folder = posixpath.dirname(package.path)
    present = set(archive.namelist())
    hrefs = [package.items[item] for item in package.spine if item in package.items]
    names = [posixpath.normpath(posixpath.join(folder, unquote(href))) for href in hrefs]
    return [name for name in dict.fromkeys(names) if name in present and name.lower().endswith(CHAPTERS)]


def _walk(archive: zipfile.ZipFile, name: str, package: "Package") -> None:
    with archive.open(name) as part:
        walk(part, start=package.start, end=_ignore, text=_ignore)


class Package:
    """Where the package document is, the files it lists, and the order in which they are read."""

    def __init__(self) -> None:
        self.path = ""
        self.items: dict[str, str] = {}
        self.spine: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        """Note what an element tells."""
        if name == "rootfile" and not self.path:
            self.path = attributes.get("full-path", "")
        elif name == "item":
            self.items[attributes.get("id", "")] = attributes.get("href", "")
        elif name == "itemref":
            self.spine.append(attributes.get("idref", ""))


def _ignore(_what: str) -> None:
    """Nothing of it is needed."""
