"""Draws the icon of an exported connector: a cut stone on the connector's colour."""

import struct
import zlib
from typing import Final

SIZE: Final = 230
"""Pixels to a side; Power Platform takes between 100 and 230."""
CENTRE: Final = (SIZE - 1) / 2
RADIUS: Final = 78
SHADES: Final = (0.98, 0.82, 0.70, 0.88)
"""How near to white the facets are: upper left, upper right, lower right, lower left."""
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def icon(colour: str) -> bytes:
    """A PNG of 230 by 230 pixels, for a colour such as `#0047ab`."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    paints = [bytes(round(part + (255 - part) * shade) for part in (red, green, blue)) for shade in (0, *SHADES)]
    # Each line of a PNG begins with the number of its filter: 0 is none.
    lines = b"".join(b"\0" + b"".join(paints[_facet(x, y)] for x in range(SIZE)) for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")


def _facet(x: int, y: int) -> int:
    """0 outside of the stone, otherwise the number of the facet at a pixel."""
    right, down = x - CENTRE, y - CENTRE
    if abs(right) + abs(down) > RADIUS:
        return 0
    if down < 0:
        return 2 if right > 0 else 1
    return 3 if right > 0 else 4


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
