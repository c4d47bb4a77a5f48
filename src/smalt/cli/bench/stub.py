"""A stub upstream, as fast as Python can be: answers of about 1 kB, and streams that are paced by a timer.

The request's `model` chooses the pace of a stream (`pace-10` is a chunk every 10 ms) and its `max_tokens` the number of
chunks. Run it as a module; it prints its port as a line of JSON.
"""

import asyncio
import json
import re
import sys
from typing import Any, cast

from smalt.cli.bench.load import allow_many_files
from smalt.cli.bench.processes import pin

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
STREAM = re.compile(rb'"stream": *true')
PACE = re.compile(rb'"model": *"pace-(\d+)"')
CHUNKS = re.compile(rb'"max(?:_completion)?_tokens": *(\d+)')
SENTENCE = "A clock that ticks evenly tells the truth about whoever listens to it. "


def _body(kind: str, choice: dict[str, Any], **more: Any) -> bytes:
    head = {"id": "chatcmpl-000000000000000000000000stub1", "object": kind, "created": 1_700_000_000, "model": "stub"}
    choices = [{"index": 0, "logprobs": None, "finish_reason": None, **choice}]
    return json.dumps({**head, "system_fingerprint": "fp_stub", "choices": choices, **more}).encode()


def _event(data: bytes) -> bytes:
    event = b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


USAGE = {"prompt_tokens": 97, "completion_tokens": 150, "total_tokens": 247}
MESSAGE = {"role": "assistant", "content": SENTENCE * 10}
WHOLE = _body("chat.completion", {"message": MESSAGE, "finish_reason": "stop"}, usage=USAGE)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(WHOLE), WHOLE)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
FIRST = _event(_body("chat.completion.chunk", {"delta": {"role": "assistant", "content": ""}}))
CHUNK = _event(_body("chat.completion.chunk", {"delta": {"content": " tick"}}))
LAST = _event(_body("chat.completion.chunk", {"delta": {}, "finish_reason": "stop"}))
END = LAST + _event(b"[DONE]") + b"0\r\n\r\n"


class Stub(asyncio.Protocol):
    """Answers chat requests on one connection."""

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection; its timers find out by themselves."""
        del exc
        self._is_open = False

    def data_received(self, data: bytes) -> None:
        """Answer when a request is complete; a client sends one at a time."""
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        length = LENGTH.search(self._received)
        if head_end < 0 or length is None or len(self._received) < head_end + 4 + int(length[1]):
            return
        body, self._received = self._received[head_end + 4 :], b""
        if not STREAM.search(body):
            self._transport.write(ANSWER)
            return
        pace, chunks = PACE.search(body), CHUNKS.search(body)
        self._transport.write(STREAM_HEAD + FIRST)
        self._tick(int(pace[1]) / 1000 if pace else 0.01, int(chunks[1]) if chunks else 64)

    def _tick(self, pace: float, left: int) -> None:
        loop = asyncio.get_running_loop()
        self._tock(pace, left, loop, loop.time() + pace)

    def _tock(self, pace: float, left: int, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if not self._is_open:
            return
        if left:
            loop.call_at(at, self._chunk, pace, left, loop, at)
        else:
            self._transport.write(END)

    def _chunk(self, pace: float, left: int, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._is_open:
            self._transport.write(CHUNK)
        self._tock(pace, left - 1, loop, at + pace)


async def serve() -> None:
    """Listen on a free port until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0, backlog=2048)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)  # noqa: T201 - read by our parent
    await server.serve_forever()


def main() -> None:
    """Read the options from the command line and serve."""
    import uvloop

    options = json.loads(sys.argv[1])
    pin(frozenset(options.get("cores") or ()))
    allow_many_files()
    uvloop.run(serve())


if __name__ == "__main__":
    main()
