"""Reads a document of any known format as passages."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from smalt.retrieval.extraction.formats import Format, format_of
from smalt.retrieval.extraction.outline import Emit, Outline
from smalt.retrieval.extraction.pictures import MISSING, has_ocr, picture_text
from smalt.retrieval.extraction.refusal import DocumentRefused
from smalt.retrieval.protocols import Passage

MOST_CHARACTERS = 200_000_000
UNWRITABLE = {0: None, 0xFEFF: None, **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}
"""What no database takes in a text, and marks that say nothing."""

READERS: dict[Format, str] = {
    "text": "plain:read_text",
    "markdown": "plain:read_markdown",
    "html": "html:read_html",
    "email": "emails:read_email",
    "pdf": "pdf:read_pdf",
    "docx": "office:read_docx",
    "pptx": "slides:read_slides",
    "spreadsheet": "office:read_spreadsheet",
    "opendocument": "opendocument:read_opendocument",
    "epub": "books:read_book",
    "doc": "word97:read_doc",
    "rtf": "office:read_rtf",
    "picture": "pictures:read_pictures",
}
Reader = Callable[[Path, Outline], None]


def read_document(path: Path, filename: str, emit: Emit, *, ocr: bool = True) -> Format:
    """Emit the passages of a document; raises `DocumentRefused` for one that cannot be read, or holds no text."""
    kind = format_of(path, filename)
    checked = _Checked(emit)
    outline = Outline(checked)
    _reader(kind, ocr=ocr and has_ocr())(path, outline)
    outline.flush()
    if not checked.has_text:
        raise _empty(kind, ocr=ocr and has_ocr())
    return kind


class _Checked:
    """Cleans passages and counts their characters."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._characters = 0
        self.has_text = False

    def __call__(self, passage: Passage) -> None:
        text = passage.text.translate(UNWRITABLE)
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            raise DocumentRefused(
                f"The document holds more than {MOST_CHARACTERS} characters of text. Split it and attach the parts."
            )
        self.has_text = self.has_text or not text.isspace()
        if text:
            heading = passage.heading and passage.heading.translate(UNWRITABLE)
            self._emit(Passage(text, passage.page, heading))


def _reader(kind: Format, *, ocr: bool) -> Reader:
    """The reader of a format; its module, and the library behind it, are imported only now."""
    module, _, name = READERS[kind].partition(":")
    read = getattr(import_module(f"smalt.retrieval.extraction.{module}"), name)
    if kind == "picture":
        return lambda path, outline: read(path, outline, ocr=ocr)
    if kind == "pdf" and ocr:
        return lambda path, outline: read(path, outline, picture_text)
    return read


def _empty(kind: Format, *, ocr: bool) -> DocumentRefused:
    if kind == "pdf" and not ocr:
        return DocumentRefused(f"The PDF holds pictures and no text, as scans do. {MISSING}")
    return DocumentRefused("The document holds no text. Attach one that does.")
