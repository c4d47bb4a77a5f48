"""Reads Word documents, spreadsheets and rich text, each with the library that knows it best."""

from pathlib import Path
from typing import Any

from smalt.core.errors import MissingExtra
from smalt.retrieval.extraction.archives import check_parts, opened
from smalt.retrieval.extraction.encodings import decode
from smalt.retrieval.extraction.html import feed_html
from smalt.retrieval.extraction.outline import Outline
from smalt.retrieval.extraction.refusal import DocumentRefused

STYLES = "\n".join(
    [
        "p[style-name='Title'] => h1:fresh",
        "p[style-name='Subtitle'] => p:fresh",
        *(f"p[style-name='heading {level}'] => h{level}:fresh" for level in range(1, 7)),
    ]
)


def read_docx(path: Path, outline: Outline) -> None:
    """Read a Word document with its tables, notes and text boxes; pictures are left out."""
    mammoth: Any = _module("mammoth")
    check_parts(path, ["word/", "_rels/"])
    with path.open("rb") as file:
        html = mammoth.convert_to_html(
            file, style_map=STYLES, convert_image=_no_image, include_embedded_style_map=False
        )
    feed_html([html.value], outline)
    outline.flush()


def read_spreadsheet(path: Path, outline: Outline) -> None:
    """Read every sheet, its name as the heading, a line for each row with the cells set apart by tabs."""
    calamine: Any = _module("python_calamine")
    if _is_zip(path):
        with opened(path):
            pass
    try:
        workbook = calamine.CalamineWorkbook.from_path(str(path))
        for name in workbook.sheet_names:
            outline.heading(1, name)
            for row in workbook.get_sheet_by_name(name).iter_rows():
                outline.line("\t".join(map(_cell, row)).rstrip("\t"))
    except calamine.PasswordError as error:
        raise DocumentRefused("The workbook is protected with a password. Save it without one.") from error
    except (calamine.CalamineError, OSError) as error:
        raise DocumentRefused(f"The workbook is damaged ({error}). Save it again in its own program.") from error
    outline.flush()


def read_rtf(path: Path, outline: Outline) -> None:
    """Read rich text without its formatting."""
    striprtf: Any = _module("striprtf.striprtf")
    # RTF is ASCII; bytes above it, which some programs write all the same, are letters of its code page.
    text = striprtf.rtf_to_text(decode(path.read_bytes()), errors="replace")
    for paragraph in text.split("\n"):
        outline.paragraph(paragraph)
    outline.flush()


def _no_image(_image: Any) -> list[Any]:
    return []


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split()) if value is not None else ""


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _module(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtra(name, extra="local") from error
