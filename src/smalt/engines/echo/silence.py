"""Writes files of silence in formats that compress sound; silence needs no codec, only the frames around it."""

import struct
from abc import ABC, abstractmethod
from typing import ClassVar, Final

RATE: Final = 24_000


class Silence(ABC):
    """One file: its opening, which holds a tag with what is said, then frames of silence."""

    frame_samples: ClassVar[int]
    """Samples in one frame, at 24,000 a second."""

    @abstractmethod
    def opening(self, tag: bytes) -> bytes:
        """What comes before the first frame."""

    @abstractmethod
    def frames(self, first: int, count: int, *, is_last: bool) -> bytes:
        """So many frames, the first of which has this number."""


class Mp3Silence(Silence):
    """MPEG-2 layer III at 8 kbit/s, behind an ID3 tag."""

    frame_samples = 576
    FRAME: ClassVar[bytes] = b"\xff\xf3\x14\xc4" + bytes(20)

    def opening(self, tag: bytes) -> bytes:
        """An ID3 tag."""
        return _id3(tag)

    def frames(self, first: int, count: int, *, is_last: bool) -> bytes:
        """Frames without any side information."""
        del first, is_last
        return self.FRAME * count


class AacSilence(Silence):
    """AAC in ADTS frames, behind an ID3 tag."""

    frame_samples = 1024
    FRAME: ClassVar[bytes] = b"\xff\xf1\x58\x40\x01\xbf\xfc" + b"\x00\xc8\x00\x80\x23\x80"

    def opening(self, tag: bytes) -> bytes:
        """An ID3 tag."""
        return _id3(tag)

    def frames(self, first: int, count: int, *, is_last: bool) -> bytes:
        """The frame that encoders make of silence."""
        del first, is_last
        return self.FRAME * count


class OpusSilence(Silence):
    """Opus packets in Ogg pages."""

    frame_samples = 480
    PACKET: ClassVar[bytes] = b"\xf8\xff\xfe"
    PAGE_PACKETS: ClassVar[int] = 250
    GRANULES: ClassVar[int] = 960
    """Opus counts at 48,000 a second, whatever went in."""

    def __init__(self) -> None:
        self._page = 0

    def opening(self, tag: bytes) -> bytes:
        """The two header pages."""
        head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, 0, RATE, 0, 0)
        comment = b"COMMENT=" + tag
        tags = struct.pack("<8sI5sII", b"OpusTags", 5, b"smalt", 1, len(comment)) + comment
        return self._paged([head], kind=2, granule=0) + self._paged([tags], kind=0, granule=0)

    def frames(self, first: int, count: int, *, is_last: bool) -> bytes:
        """Pages of packets; the last one says that it is."""
        pages = b""
        for start in range(0, count, self.PAGE_PACKETS):
            size = min(self.PAGE_PACKETS, count - start)
            ends = is_last and start + size == count
            pages += self._paged(
                [self.PACKET] * size, kind=4 if ends else 0, granule=(first + start + size) * self.GRANULES
            )
        return pages

    def _paged(self, packets: list[bytes], *, kind: int, granule: int) -> bytes:
        lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
        header = struct.pack("<4sBBQIII", b"OggS", 0, kind, granule, 1, self._page, 0) + bytes([len(lacing)]) + lacing
        self._page += 1
        page = header + b"".join(packets)
        return page[:22] + struct.pack("<I", _crc(page, 0x04C11DB7, 32)) + page[26:]


class FlacSilence(Silence):
    """FLAC frames that are constant."""

    frame_samples = 480

    def opening(self, tag: bytes) -> bytes:
        """The stream's information, and a comment."""
        size = self.frame_samples
        # Rate (20 bits), channels - 1 (3), bits - 1 (5), samples of the whole (36, 0 for unknown).
        shape = (RATE << 44 | 0 << 41 | 15 << 36).to_bytes(8, "big")
        information = struct.pack(">HH", size, size) + bytes(6) + shape + bytes(16)
        comment = b"COMMENT=" + tag
        comments = struct.pack("<I5sII", 5, b"smalt", 1, len(comment)) + comment
        return b"fLaC" + _flac_block(0, information) + _flac_block(0x80 | 4, comments)

    def frames(self, first: int, count: int, *, is_last: bool) -> bytes:
        """Frames of one sample, held."""
        del is_last
        return b"".join(self._frame(number) for number in range(first, first + count))

    def _frame(self, number: int) -> bytes:
        # Fixed block size, given in 16 bits behind the number; rate of the stream; one channel; 16 bits.
        header = (
            b"\xff\xf8\x70\x08" + chr(number).encode(errors="surrogatepass") + struct.pack(">H", self.frame_samples - 1)
        )
        framed = header + bytes([_crc(header, 0x07, 8)]) + b"\x00\x00\x00"
        return framed + struct.pack(">H", _crc(framed, 0x8005, 16))


def _flac_block(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3, "big") + content


def _id3(tag: bytes) -> bytes:
    """An ID3 2.3 tag with one comment in Latin letters."""
    content = b"\x00eng\x00" + tag
    frame = struct.pack(">4sIH", b"COMM", len(content), 0) + content
    size = len(frame)
    return b"ID3\x03\x00\x00" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + frame


def _crc(content: bytes, polynomial: int, width: int) -> int:
    """A check sum that starts at 0 and takes the highest bit first."""
    table = _TABLES[polynomial]
    shift, mask, value = width - 8, (1 << width) - 1, 0
    for byte in content:
        value = (value << 8 & mask) ^ table[value >> shift ^ byte]
    return value


def _table(polynomial: int, width: int) -> list[int]:
    top, mask = 1 << width - 1, (1 << width) - 1
    table: list[int] = []
    for byte in range(256):
        value = byte << width - 8
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        table.append(value)
    return table


_TABLES: Final = {
    polynomial: _table(polynomial, width) for polynomial, width in ((0x07, 8), (0x8005, 16), (0x04C11DB7, 32))
}
