"""Decides what a document is: by its content first, by its name where the content is plain text."""

import zipfile
from pathlib import Path, PurePosixPath
from typing import Literal

from smalt.retrieval.extraction.compound import open_compound
from smalt.retrieval.extraction.refusal import DocumentRefused

Format = Literal[
    "text",
    "markdown",
    "html",
    "email",
    "pdf",
    "docx",
    "pptx",
    "spreadsheet",
    "opendocument",
    "epub",
    "doc",
    "rtf",
    "picture",
]

CODE = "c cc cpp cs css go h hpp java js jsx kt lua php pl py r rb rs scala sh sql swift tex ts tsx"
PLAIN = "cfg conf csv ini json jsonl log rst srt toml tsv txt vtt xml yaml yml"
EXTENSIONS: dict[Format, str] = {
    "text": f"{CODE} {PLAIN}",
    "markdown": "md markdown",
    "html": "html htm xhtml",
    "email": "eml",
    "pdf": "pdf",
    "docx": "docx docm",
    "pptx": "pptx pptm",
    "spreadsheet": "xlsx xlsm xlsb xls ods",
    "opendocument": "odt odp",
    "epub": "epub",
    "doc": "doc",
    "rtf": "rtf",
    "picture": "png jpg jpeg webp tif tiff gif bmp",
}
NAMED: dict[str, Format] = {
    extension: kind for kind, extensions in EXTENSIONS.items() for extension in extensions.split()
}
"""What a file with this extension should be."""

FROM_TEXT: frozenset[Format] = frozenset({"text", "markdown", "html", "email"})
"""Formats without a signature: any text can be one, so the name decides."""

HEAD_BYTES = 4096
SIGNATURES: tuple[tuple[bytes, Format], ...] = (
    (b"{\\rtf", "rtf"),
    (b"\x89PNG\r\n\x1a\n", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"II*\x00", "picture"),
    (b"MM\x00*", "picture"),
    (b"GIF8", "picture"),
)
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PARTS: dict[str, Format] = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "spreadsheet",
    "xl/workbook.bin": "spreadsheet",
}
MIMETYPES: dict[str, Format] = {
    "application/epub+zip": "epub",
    "application/vnd.oasis.opendocument.text": "opendocument",
    "application/vnd.oasis.opendocument.text-template": "opendocument",
    "application/vnd.oasis.opendocument.presentation": "opendocument",
    "application/vnd.oasis.opendocument.spreadsheet": "spreadsheet",
}
OFFER = (
    ".c .cpp .cs .css .csv .doc .docx .eml .epub .go .html .java .js .json .md .odt .pdf .php .pptx .py .rb .rtf .sh "
    ".tex .ts .txt .xlsx .xml .yaml and other plain text; pictures when the extra ocr is installed"
)


def format_of(path: Path, filename: str) -> Format:
    """The format to read a document as; raises `DocumentRefused` for what cannot be read at all."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    named = NAMED.get(extension(filename))
    found = _signed(path, filename, head)
    if found is not None:
        return found
    if named is not None and named not in FROM_TEXT:
        raise DocumentRefused(
            f"The file is named {filename!r}, but its content is no {extension(filename).upper()} document: it is "
            "damaged, or named wrongly. Save it again in its own program, or name it as what it is."
        )
    if looks_binary(head):
        raise _unsupported(filename)
    return named or ("html" if _looks_like_html(head) else "text")


def extension(filename: str) -> str:
    """The part of a name after its last dot, in small letters."""
    return PurePosixPath(filename.replace("\\", "/")).suffix[1:].lower()


def looks_binary(head: bytes) -> bool:
    """Whether the first bytes are no text in any encoding."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or not head:
        return False
    zeros = head.count(0)
    if zeros and not utf16_without_mark(head):
        return True
    control = sum(1 for byte in head if byte < 32 and byte not in b"\t\n\f\r\x1b\x00")  # noqa: PLR2004 - the first printable
    return control > len(head) // 50


def utf16_without_mark(head: bytes) -> Literal["utf-16-le", "utf-16-be"] | None:
    """UTF-16 that does not say so: every other byte of western text is zero."""
    pairs = len(head) // 2
    even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if odd > 0.4 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * pairs and odd < 0.05 * pairs else None


def _signed(path: Path, filename: str, head: bytes) -> Format | None:
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(ZIP):
        return _zipped(path, filename)
    if head.startswith(OLE):
        return _compound(path, filename)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "picture"
    if head.startswith(b"BM") and extension(filename) == "bmp":
        return "picture"
    return next((kind for signature, kind in SIGNATURES if head.startswith(signature)), None)


def _zipped(path: Path, filename: str) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            kind: Format | None = next((kind for part, kind in PARTS.items() if part in names), None)
            if kind is None and "mimetype" in names:
                with archive.open("mimetype") as file:
                    kind = MIMETYPES.get(file.read(200).decode("ascii", "replace").strip())
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise DocumentRefused(
            f"The archive that {filename!r} is made of is damaged ({error}). Save it again in its own program."
        ) from error
    if kind is None:
        raise DocumentRefused(
            f"{filename!r} is an archive. Unpack it and attach the files in it. Files that can be read: {OFFER}.",
            code="unsupported_file",
        )
    return kind


def _compound(path: Path, filename: str) -> Format:
    try:
        with open_compound(path) as compound:
            names: set[str] = {entry[0] for entry in compound.listdir()}
    except (OSError, ValueError, IndexError) as error:
        raise DocumentRefused(f"{filename!r} is damaged ({error}). Save it again in its own program.") from error
    if "EncryptedPackage" in names:
        raise DocumentRefused(f"{filename!r} is protected with a password. Save it without one.")
    if "WordDocument" in names:
        return "doc"
    if names & {"Workbook", "Book"}:
        return "spreadsheet"
    raise DocumentRefused(
        f"{filename!r} is in an old Office format that cannot be read. Save it as .pptx, .docx or .pdf.",
        code="unsupported_file",
    )


def _looks_like_html(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    return start.startswith((b"<!doctype html", b"<html"))


def _unsupported(filename: str) -> DocumentRefused:
    return DocumentRefused(
        f"Files like {filename!r} cannot be read: the content is not text and no document that is known here. "
        f"Files that can be read: {OFFER}.",
        code="unsupported_file",
    )
