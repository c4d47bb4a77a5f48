"""Reads HTML: the text a reader would see, under its headings."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

from smalt.retrieval.extraction.encodings import decoded
from smalt.retrieval.extraction.outline import Outline

HIDDEN = frozenset({"script", "style", "template", "noscript", "svg", "math", "iframe", "object", "datalist"})
BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "dialog", "div", "dl", "dt"),
        *(
            "fieldset",
            "figcaption",
            "figure",
            "footer",
            "form",
            "header",
            "hgroup",
            "hr",
            "legend",
            "li",
            "main",
            "nav",
        ),
        *("ol", "option", "p", "pre", "section", "select", "summary", "table", "tbody", "tfoot", "thead", "title"),
        *("tr", "ul"),
    )
)
CLOSE = frozenset({"dt", "li", "tr", "option"})
"""Blocks that are set one below the other, without a blank line between."""

CELLS = frozenset({"td", "th"})
INSIDE_CELLS = frozenset({"p", "div"})
"""Blocks that are lines when they stand in a cell, so that a row stays together."""

SPACE = re.compile(r"\s+")
SPACES = re.compile(r" {2,}")
AROUND_LINE_END = re.compile(r" *\n *")
LONGEST_BLOCK = 1 << 16


def read_html(path: Path, outline: Outline) -> None:
    """Read a file of HTML."""
    feed_html(decoded(path), outline)


def feed_html(pieces: Iterable[str], outline: Outline) -> None:
    """Read HTML that comes in pieces."""
    reader = HtmlReader(outline)
    for piece in pieces:
        reader.feed(piece)
    reader.close()
    reader.end()


class HtmlReader(HTMLParser):
    """Collects the text of one block after the other."""

    def __init__(self, outline: Outline) -> None:
        super().__init__(convert_charrefs=True)
        self._outline = outline
        self._words: list[str] = []
        self._length = 0
        self._hidden: list[str] = []
        self._preformatted = 0
        self._level = 0
        self._is_close = False
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a block, a heading or something that nobody sees."""
        if tag in HIDDEN:
            self._hidden.append(tag)
        elif tag == "br":
            self._words.append("\n")
        elif tag in CELLS:
            self._in_cell = True
            self._words = ["".join(self._words).rstrip("\n") + "\t"] if self._words else ["\t"]
        elif tag == "img" and (described := dict(attrs).get("alt")):
            self._words.append(f" {described} ")
        elif level := _level(tag):
            self._end_block()
            self._level = level
        elif tag in BLOCKS and not (self._in_cell and tag in INSIDE_CELLS):
            self._end_block()
            self._is_close = tag in CLOSE
            self._preformatted += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        """End what the tag began."""
        if tag in HIDDEN:
            if tag in self._hidden:
                del self._hidden[self._hidden.index(tag) :]
        elif tag in CELLS:
            self._in_cell = False
        elif self._in_cell and tag in INSIDE_CELLS:
            self._words.append("\n")
        elif _level(tag) or tag in BLOCKS:
            self._end_block()
            self._preformatted -= tag == "pre" and self._preformatted > 0
            if tag == "table":
                self._outline.text("\n")

    def handle_data(self, data: str) -> None:
        """Take text that can be seen."""
        if self._hidden:
            return
        self._words.append(data if self._preformatted else SPACE.sub(" ", data))
        self._length += len(data)
        if self._length > LONGEST_BLOCK:
            self._end_block()

    def end(self) -> None:
        """Hand on what is left."""
        self._end_block()

    def _end_block(self) -> None:
        text = "".join(self._words)
        self._words, self._length = [], 0
        self._in_cell = False
        level, self._level = self._level, 0
        is_close, self._is_close = self._is_close, False
        if not self._preformatted:
            text = SPACES.sub(" ", AROUND_LINE_END.sub("\n", text)).strip()
        if level:
            self._outline.heading(level, text)
        elif is_close:
            self._outline.line(text)
        else:
            self._outline.paragraph(text)


def _level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0  # noqa: PLR2004 - h1 to h6
