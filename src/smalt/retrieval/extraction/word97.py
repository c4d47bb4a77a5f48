"""Reads Word documents of 1997 to 2003 (.doc): the pieces of text that the piece table names."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from smalt.retrieval.extraction.compound import open_compound
from smalt.retrieval.extraction.outline import Outline
from smalt.retrieval.extraction.refusal import DocumentRefused

# Offsets in the file information block; see [MS-DOC] 2.5.
FLAGS, FIRST_COUNT, TABLE_POINTER = 0x0A, 0x4C, 0x01A2
ENCRYPTED, SECOND_TABLE = 0x0100, 0x0200
PARTS = 8
"""The counts of characters: body, notes, headers, macros, comments, endnotes, text boxes, those of headers."""

SHOWN_PARTS = (0, 1, 5, 6)
PIECES = 2
COMPRESSED = 1 << 30
FIELD = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x14\x15]*))?\x15")
"""A field: its instruction, and what it shows."""

DRAWN = str.maketrans(
    {"\x07": "\t", "\x0b": "\n", "\x0c": "\n\n", "\r": "\n\n", "\x1e": "-", "\xa0": " ", "\x1f": None}
)
CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")


def read_doc(path: Path, outline: Outline) -> None:
    """Read the body, the notes and the text boxes; headings are not told apart."""
    try:
        text = "".join(_text(path))
    except (struct.error, IndexError, OSError, ValueError) as error:
        raise DocumentRefused(f"The document is damaged ({error}). Save it as .docx in a word processor.") from error
    for paragraph in _shown(text).split("\n\n"):
        outline.paragraph(paragraph)
    outline.flush()


def _text(path: Path) -> Iterator[str]:
    """The parts that a reader sees, one after the other."""
    with open_compound(path) as compound:
        main: bytes = compound.openstream("WordDocument").read()
        (flags,) = struct.unpack_from("<H", main, FLAGS)
        if flags & ENCRYPTED:
            raise DocumentRefused("The document is protected with a password. Save it without one.")
        table: bytes = compound.openstream("1Table" if flags & SECOND_TABLE else "0Table").read()
    counts = struct.unpack_from(f"<{PARTS}I", main, FIRST_COUNT)
    everything = "".join(_pieces(main, table))
    for part in SHOWN_PARTS:
        start = sum(counts[:part])
        yield everything[start : start + counts[part]]


def _pieces(main: bytes, table: bytes) -> Iterator[str]:
    start, size = struct.unpack_from("<2I", main, TABLE_POINTER)
    plan = _piece_plan(table[start : start + size])
    number = (len(plan) - 4) // 12
    positions = struct.unpack_from(f"<{number + 1}I", plan)
    for index in range(number):
        (offset,) = struct.unpack_from("<I", plan, 4 * (number + 1) + 8 * index + 2)
        length = positions[index + 1] - positions[index]
        if length < 0:
            raise ValueError("its pieces are out of order")
        if offset & COMPRESSED:
            offset = (offset & ~COMPRESSED) // 2
            yield main[offset : offset + length].decode("cp1252", "replace").ljust(length)
        else:
            yield main[offset : offset + 2 * length].decode("utf-16-le", "surrogatepass").ljust(length)


def _piece_plan(table: bytes) -> bytes:
    """The piece table within its structure, behind the formatting that comes before it."""
    at = 0
    while table[at] != PIECES:
        (size,) = struct.unpack_from("<H", table, at + 1)
        at += 3 + size
    (size,) = struct.unpack_from("<I", table, at + 1)
    return table[at + 5 : at + 5 + size]


def _shown(text: str) -> str:
    """The text without the instructions of fields, which may stand within each other, and without marks."""
    while True:
        text, found = FIELD.subn(lambda field: field[1] or "", text)
        if not found:
            return CONTROL.sub("", text.translate(DRAWN))
