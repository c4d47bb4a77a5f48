"""Asks a worker whether it is well."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

from smalt.engines.frames import PING_FRAME


def is_listening(socket_path: str) -> bool:
    """Whether a living process listens there; at once, without waiting for it to accept."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)
        try:
            probe.connect(socket_path)
        except BlockingIOError:
            # Its queue is full: busy, but there.
            return True
        except OSError:
            return False
    return True


async def is_well(socket_path: str, info: Mapping[str, Any], within_seconds: float) -> bool:
    """Whether the worker answers in time, in the way that its `info["health"]` names.

    `"channel"` is a ping frame, a path beginning with `/` an HTTP request (any status is an answer), and nothing
    means that it is enough to listen: a native server may be too busy to answer and still be well.
    """
    how = info.get("health")
    if not how:
        return is_listening(socket_path)
    if how == "channel":
        question = PING_FRAME
    else:
        question = f"GET {how} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n".encode()
    try:
        async with asyncio.timeout(within_seconds):
            return await _answers(socket_path, question)
    except (OSError, TimeoutError):
        return False


async def _answers(socket_path: str, question: bytes) -> bool:
    reader, writer = await asyncio.open_unix_connection(socket_path)
    try:
        writer.write(question)
        return bool(await reader.read(1))
    finally:
        writer.close()
