"""Hides what an echo says in the sound it makes, and finds it there again."""

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterator
from typing import Final

BEGINNING: Final = b"\xec\x40Smalt"
LENGTH_BYTES: Final = 2
LONGEST_MARK_BYTES: Final = 32_768
"""What fits into the length of a mark, and as a tag into one page of an Ogg file."""
TAG: Final = re.compile(rb"smalt-echo:(\d{1,9}):([A-Za-z0-9+/=]*);")
LOW_BITS: Final = bytes(value & 1 for value in range(256))
DIGITS: Final = bytes.maketrans(b"01", b"\x00\x01")


def hidden(text: str, samples: bytes) -> bytes:
    """16-bit little-endian samples with a text in their lowest bits, which nobody hears; the rest of the bits are 0."""
    said = text.encode()[:LONGEST_MARK_BYTES]
    bits = _bits(BEGINNING + len(said).to_bytes(LENGTH_BYTES, "big") + said)
    low = samples[::2]
    marked = bytearray(samples)
    marked[::2] = bytes(value & 0xFE for value in low)
    marked[: 2 * len(bits) : 2] = bytes(value & 0xFE | bit for value, bit in zip(low[: len(bits)], bits, strict=True))
    return bytes(marked)


def found(samples: bytes) -> str:
    """The texts hidden in samples, one after the other; empty when there are none."""
    bits = samples[::2].translate(LOW_BITS)
    return b"".join(_messages(bits)).decode(errors="replace")


def tag(text: str, milliseconds: int) -> bytes:
    """A text, and the time that it takes to say, for the header of a file."""
    return b"smalt-echo:%d:%s;" % (milliseconds, b64encode(text.encode()[:LONGEST_MARK_BYTES]))


def tagged(content: bytes) -> tuple[str, float] | None:
    """The texts in the headers of a file, and the seconds they take; None when an echo did not make it."""
    tags = TAG.findall(content)
    if not tags:
        return None
    try:
        text = b" ".join(b64decode(words) for _, words in tags).decode(errors="replace")
    except Error:
        return None
    return text, sum(int(milliseconds) for milliseconds, _ in tags) / 1000


def _messages(bits: bytes) -> Iterator[bytes]:
    opening = _bits(BEGINNING)
    place = bits.find(opening)
    while place >= 0:
        start = place + len(opening)
        size = int.from_bytes(_whole(bits[start : start + 8 * LENGTH_BYTES]), "big")
        start += 8 * LENGTH_BYTES
        yield _whole(bits[start : start + 8 * size])
        place = bits.find(opening, start + 8 * size)


def _bits(message: bytes) -> bytes:
    return format(int.from_bytes(message, "big"), f"0{8 * len(message)}b").encode().translate(DIGITS)


def _whole(bits: bytes) -> bytes:
    """The bytes that some bits make; bits of an unfinished byte are left out."""
    count = len(bits) // 8
    number = int("".join(map(str, bits[: 8 * count])) or "0", 2)
    return number.to_bytes(count, "big")
