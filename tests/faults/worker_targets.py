"""Small workers that the fault tests start, and that fail in the ways real ones do."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from smalt.core.errors import NotInstalled
from smalt.engines.channel import Handlers, Message, run, serve_channel

Ready = Callable[[Mapping[str, Any]], None]


def well(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Answers; and hangs, dies or sleeps when it is asked to."""
    run(serve_channel(HANDLERS, socket_path, ready, {"greeting": options.get("greeting")}))


def dead_at_start(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Counts its starts in a file and dies before it is ready."""
    with Path(options["starts"]).open("a") as starts:
        starts.write("x")
    sys.stderr.write("the weights are upside down\n")
    sys.exit(7)


def never_ready(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Takes for ever to load."""
    sys.stderr.write("loading, loading\n")
    time.sleep(600)


def without_its_extra(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Says in the family's own words why it cannot start."""
    raise NotInstalled("Install it with: pip install 'smalt[all]'")


async def echo(header: Mapping[str, Any], payload: bytes) -> Message:
    return {"said": header.get("said"), "pid": os.getpid()}, payload


async def sleep(header: Mapping[str, Any], payload: bytes) -> Message:
    await asyncio.sleep(header.get("seconds", 600))
    return {}, b""


async def hang(header: Mapping[str, Any], payload: bytes) -> Message:
    time.sleep(600)  # noqa: ASYNC251 blocks its own loop on purpose
    return {}, b""


async def die(header: Mapping[str, Any], payload: bytes) -> Message:
    os._exit(3)


async def count(header: Mapping[str, Any], payload: bytes) -> AsyncIterator[Message]:
    for number in range(header["to"]):
        yield {"number": number}, b""
        await asyncio.sleep(header.get("pause", 0))


HANDLERS = Handlers(calls={"echo": echo, "sleep": sleep, "hang": hang, "die": die}, streams={"count": count})
