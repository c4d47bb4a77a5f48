"""Reads PDF documents page by page; pages without text are given to the OCR, when there is one."""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smalt.core.errors import MissingExtra
from smalt.retrieval.extraction.outline import Outline
from smalt.retrieval.extraction.refusal import DocumentRefused

Picture = Any
ReadPicture = Callable[[Picture], str]

POINTS_PER_INCH = 72
SCAN_DOTS_PER_INCH = 150
LONGEST_SIDE = 3000
HYPHEN = re.compile(r"[\ufffe\u00ad\x02]\r?\n?")
"""How pdfium tells that a word goes on in the next line."""


def read_pdf(path: Path, outline: Outline, read_picture: ReadPicture | None = None) -> None:
    """Read every page under its number."""
    with _opened(path) as document:
        for index in range(len(document)):
            outline.page(index + 1)
            text = _page(document, index, read_picture)
            outline.paragraph(HYPHEN.sub("", text).replace("\r\n", "\n"))
    outline.flush()


def _page(document: Any, index: int, read_picture: ReadPicture | None) -> str:
    import pypdfium2

    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        # One broken page is no reason to lose the others.
        return ""
    try:
        reader = page.get_textpage()
        text: str = reader.get_text_bounded()
        reader.close()
        if text.strip() or read_picture is None:
            return text
        scale = min(SCAN_DOTS_PER_INCH / POINTS_PER_INCH, LONGEST_SIDE / max(1.0, *page.get_size()))
        return read_picture(page.render(scale=scale).to_pil())
    except pypdfium2.PdfiumError:
        return ""
    finally:
        page.close()


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    try:
        import pypdfium2
    except ModuleNotFoundError as error:
        raise MissingExtra("pypdfium2", extra="local") from error
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentRefused("The PDF is protected with a password. Save it without one.") from error
        raise DocumentRefused(f"The PDF is damaged ({error}). Save or print it as a PDF again.") from error
    try:
        yield document
    finally:
        document.close()
