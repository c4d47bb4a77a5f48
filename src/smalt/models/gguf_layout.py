"""Finds where things lie in a GGUF file, without reading its vocabulary into Python objects, which takes seconds."""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
STRING, ARRAY = 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each kind of value that has a fixed size."""


class GgufError(ValueError):
    """The file is not one of GGUF version 2 or 3."""


@dataclass(frozen=True)
class TensorPlace:
    """One tensor: its name, its shape (the length of a row first), its kind, and where its numbers begin."""

    name: bytes
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True)
class Layout:
    """Where things lie: the head ends where the list of tensors begins; offsets count from the file's beginning."""

    head_bytes: int
    alignment: int
    file_type_offset: int | None
    tensors: tuple[TensorPlace, ...]


def read_layout(path: Path) -> Layout:
    """The layout of a GGUF file; raises `GgufError`."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _Walk(data).layout()
        except (struct.error, KeyError) as error:
            raise GgufError(f"{path.name} is not a GGUF file, or damaged ({error})") from error


class _Walk:
    """Walks over the head of a file once."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def layout(self) -> Layout:
        if self._data[:4] != MAGIC or self._number("I", 4) not in VERSIONS:
            raise GgufError("it does not begin as a GGUF file of version 2 or 3 does")
        tensors, pairs = self._number("Q"), self._number("Q")
        alignment, file_type_offset = DEFAULT_ALIGNMENT, None
        for _ in range(pairs):
            key, kind = self._text(), self._number("I")
            if key == b"general.file_type":
                file_type_offset = self._at
            if key == b"general.alignment":
                alignment = struct.unpack_from("<I", self._data, self._at)[0]
            self._skip(kind)
        head_bytes = self._at
        found = [self._tensor() for _ in range(tensors)]
        begin = aligned(self._at, alignment)
        placed = tuple(TensorPlace(name, shape, kind, begin + offset) for name, shape, kind, offset in found)
        return Layout(head_bytes, alignment, file_type_offset, placed)

    def _tensor(self) -> tuple[bytes, tuple[int, ...], int, int]:
        name = self._text()
        shape = tuple(self._number("Q") for _ in range(self._number("I")))
        return name, shape, self._number("I"), self._number("Q")

    def _skip(self, kind: int) -> None:
        if kind == STRING:
            self._text()
        elif kind == ARRAY:
            of, count = self._number("I"), self._number("Q")
            if of in SIZES:
                self._at += SIZES[of] * count
                return
            for _ in range(count):
                self._skip(of)
        else:
            self._at += SIZES[kind]

    def _text(self) -> bytes:
        length = self._number("Q")
        self._at += length
        return self._data[self._at - length : self._at]

    def _number(self, kind: str, at: int | None = None) -> int:
        if at is not None:
            self._at = at
        (value,) = struct.unpack_from("<" + kind, self._data, self._at)
        self._at += struct.calcsize("<" + kind)
        return value


def aligned(size: int, alignment: int) -> int:
    """The first multiple of `alignment` that is not below `size`."""
    return -(-size // alignment) * alignment
