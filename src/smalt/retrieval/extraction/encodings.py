"""Finds the encoding of text, and decodes files of any length piece by piece."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from smalt.retrieval.extraction.formats import HEAD_BYTES, utf16_without_mark

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # The longer marks first: that of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DECLARED = re.compile(
    rb"""(?:<meta[^>]{0,200}charset\s*=\s*|<\?xml[^>]{0,200}encoding\s*=\s*)["']?([A-Za-z0-9._-]{2,40})""",
    re.IGNORECASE,
)
SAMPLE_BYTES = 1 << 16
PIECE_BYTES = 1 << 18
WESTERN = "cp1252"
CANDIDATES = (
    WESTERN,
    *("cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("cp932", "euc_jp", "gb18030", "big5", "euc_kr"),
)
"""What text is written in when it is not in Unicode."""

CENTRAL_EUROPEAN = re.compile(r"[³¹¿¾¼](?=[a-zA-Z])|(?<=[a-zA-Z])[³¹¿¾¼]|[\x81\x8d\x8f\x90\x9d]|ø.*ì|ì.*ø", re.DOTALL)
"""What Polish, Czech or Slovak in cp1250 looks like when it is read as cp1252, and no western text does."""


def decoded(path: Path) -> Iterator[str]:
    """The text of a file in pieces, with line ends as line feeds."""
    decoder = codecs.getincrementaldecoder(encoding_of(path))("replace")
    carried = ""
    with path.open("rb") as file:
        while True:
            data = file.read(PIECE_BYTES)
            text = carried + decoder.decode(data, final=not data)
            # A carriage return at the end may be the first half of a line end.
            carried = "\r" if data and text.endswith("\r") else ""
            yield _with_line_feeds(text.removesuffix(carried) if carried else text)
            if not data:
                return


def decode(content: bytes) -> str:
    """The text that some bytes are."""
    encoding = _told(content[:HEAD_BYTES])
    if encoding is None:
        wrong = _first_wrong_byte(content)
        encoding = "utf-8" if wrong is None else _guess(content[_sample_start(wrong) :][:SAMPLE_BYTES])
    return _with_line_feeds(content.decode(encoding, "replace"))


def encoding_of(path: Path) -> str:
    """The encoding of a file: what it says itself, UTF-8 when it is that, else what its letters look like."""
    with path.open("rb") as file:
        told = _told(file.read(HEAD_BYTES))
        if told is not None:
            return told
        file.seek(0)
        done, decoder = 0, codecs.getincrementaldecoder("utf-8")()
        while True:
            data = file.read(PIECE_BYTES)
            try:
                decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                # The decoder may have begun with bytes that it kept from the piece before.
                file.seek(_sample_start(done + max(0, error.start - 3)))
                return _guess(file.read(SAMPLE_BYTES))
            if not data:
                return "utf-8"
            done += len(data)


def _told(head: bytes) -> str | None:
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    if declared := DECLARED.search(head[:2048]):
        return _known(declared[1].decode("ascii"))
    return utf16_without_mark(head)


def _known(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    if found.startswith(("utf-16", "utf-32", "utf-8")):
        # Text whose first bytes can be read as ASCII is not UTF-16 or UTF-32, whatever it says.
        return None
    # The name of Latin-1 stands for its superset, as in every browser.
    return WESTERN if found in {"iso8859-1", "ascii"} else found


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=list(CANDIDATES)).best()
    encoding = WESTERN if best is None else best.encoding
    if encoding in {"cp1250", "cp1254"} and not CENTRAL_EUROPEAN.search(sample.decode("latin-1")):
        # Western, central European and Turkish differ in a few letters only, so the likeliest is taken.
        return WESTERN
    return encoding


def _first_wrong_byte(content: bytes) -> int | None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def _sample_start(wrong: int) -> int:
    """Where a sample begins whose letters tell the encoding."""
    return max(0, wrong - 1024)


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
