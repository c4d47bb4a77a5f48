"""Opens documents that are archives, and refuses those that would unpack to more than they should."""

import zipfile
import zlib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from smalt.retrieval.extraction.markup import check_markup
from smalt.retrieval.extraction.refusal import DocumentRefused

MOST_ENTRIES = 20_000
MOST_UNPACKED_BYTES = 1 << 30
SMALL_BYTES = 32 << 20
"""Below this an archive may be packed as tightly as it likes."""

MOST_RATIO = 150
ENCRYPTED_FLAG = 1


@contextmanager
def opened(path: Path) -> Generator[zipfile.ZipFile]:
    """The archive of a document, once its directory has been found harmless."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path.stat().st_size)
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise DocumentRefused(f"The document is damaged ({error}). Save it again in its own program.") from error


def check_parts(path: Path, folders: Iterable[str]) -> None:
    """Refuse a document whose XML below `folders` defines entities; for libraries that would expand them."""
    wanted = tuple(folders)
    with opened(path) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(wanted) and entry.filename.endswith((".xml", ".rels")):
                with archive.open(entry) as part:
                    check_markup(part)


def _check(archive: zipfile.ZipFile, packed: int) -> None:
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise DocumentRefused(
            f"The document is an archive of {len(entries)} files; the most is {MOST_ENTRIES}. Split it into several."
        )
    if any(entry.flag_bits & ENCRYPTED_FLAG for entry in entries):
        raise DocumentRefused("The document is protected with a password. Save it without one.")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MOST_UNPACKED_BYTES or (unpacked > SMALL_BYTES and unpacked > MOST_RATIO * packed):
        raise DocumentRefused(
            f"The document unpacks from {packed} to {unpacked} bytes, which looks like a decompression bomb: the most "
            f"is {MOST_UNPACKED_BYTES} bytes and {MOST_RATIO} times its size. Save it again in its own program, or "
            "split it."
        )
