"""Frames on a pipe between the host and the sandbox: lengths, a JSON header, and bytes behind it."""

import json
import struct
from typing import Any, BinaryIO

LENGTHS = struct.Struct("<II")
"""The lengths of the header and of the bytes behind it."""

PIECE_BYTES = 2**20
"""The most bytes in one frame; files are sent in pieces of this size."""


def pack(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """One frame."""
    text = json.dumps(header).encode()
    return LENGTHS.pack(len(text), len(payload)) + text + payload


def read_frame(pipe: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next frame; None at the end of the pipe."""
    lengths = pipe.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    header_bytes, payload_bytes = LENGTHS.unpack(lengths)
    return json.loads(pipe.read(header_bytes)), pipe.read(payload_bytes)
