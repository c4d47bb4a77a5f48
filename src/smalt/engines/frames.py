"""The head of a frame on a worker's channel; without other imports, so that the engine host can ping cheaply."""

import struct

CALL, STREAM, CANCEL, ITEM, RESULT, FAILURE, PING = range(7)

HEAD = struct.Struct("<IIBxxxI")
"""Payload length, call number, kind, header length."""

PING_FRAME = HEAD.pack(0, 0, PING, 0)
