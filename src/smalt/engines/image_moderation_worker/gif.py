"""Reads how many frames a GIF has and how large they make it, without decoding any of them."""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Final

SCREEN: Final = struct.Struct("<6xHHB2x")
FRAME: Final = struct.Struct("<HHHHB")
HAS_COLOURS: Final = 0x80
COMMENT: Final = 0xFE
APPLICATION: Final = 0xFF


@dataclass(slots=True)
class Extent:
    """Frames of a GIF, and the pixels of the picture that holds all of them: frames may reach beyond the screen."""

    frames: int
    width: int
    height: int


def gif_extent(content: bytes, most_frames: int) -> Extent:
    """Read a GIF up to one frame more than `most_frames`; what is cut off ends there.

    Broken blocks are read as Pillow reads them, so that both count the same frames.
    """
    file = BytesIO(content)
    head = file.read(SCREEN.size)
    if len(head) < SCREEN.size:
        return Extent(0, 0, 0)
    width, height, flags = SCREEN.unpack(head)
    found = Extent(0, width, height)
    _skip_colours(file, flags)
    while found.frames <= most_frames and (kind := file.read(1)) not in {b"", b";"}:
        if kind == b"!":
            _skip_extension(file, is_first=found.frames == 0)
        elif kind == b"," and not _read_frame(file, found):
            break
    return found


def _read_frame(file: BytesIO, found: Extent) -> bool:
    """Count a frame; false when the file ends in it."""
    head = file.read(FRAME.size)
    if len(head) < FRAME.size:
        return False
    left, top, width, height, flags = FRAME.unpack(head)
    found.frames += 1
    found.width, found.height = max(found.width, left + width), max(found.height, top + height)
    _skip_colours(file, flags)
    file.seek(1, 1)
    _skip_blocks(file)
    return True


def _skip_colours(file: BytesIO, flags: int) -> None:
    if flags & HAS_COLOURS:
        file.seek(3 << ((flags & 7) + 1), 1)


def _skip_extension(file: BytesIO, *, is_first: bool) -> None:
    label = file.read(1)
    block = _block(file)
    if label == bytes([COMMENT]) and not block:
        return
    if label == bytes([APPLICATION]) and is_first and block.startswith(b"NETSCAPE2.0"):
        _block(file)
    _skip_blocks(file)


def _skip_blocks(file: BytesIO) -> None:
    while _block(file):
        pass


def _block(file: BytesIO) -> bytes:
    """The next block; empty for the one that ends a row of them, and at the end of the file."""
    size = file.read(1)
    return file.read(size[0]) if size and size[0] else b""
